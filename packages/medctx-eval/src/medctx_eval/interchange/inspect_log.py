"""Reads the logs of inspect: ``.eval`` (an archive) and ``.json``."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from medctx.errors import MedctxError
from medctx.schemas.records import Verdict
from medctx_eval.interchange.foreign import NO_OPTIONS, ForeignAnswer, ForeignRun, letter_of, passage_of, split_prompt
from medctx_eval.interchange.json_lines import mapping, parse_object, read_object, sequence

_ZSTANDARD = 93
"""The compression of newer archives, which zipfile does not know."""

_LOCAL_HEADER = struct.Struct("<26xHH")


class _Archive:
    """The files of an ``.eval`` archive."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with zipfile.ZipFile(path) as archive:
                self._entries = {entry.filename: entry for entry in archive.infolist()}
        except (zipfile.BadZipFile, OSError) as error:
            raise MedctxError(
                f"{path} is not an inspect log ({error}); give the .eval file that inspect wrote."
            ) from None

    @property
    def names(self) -> list[str]:
        """Names of the files."""
        return list(self._entries)

    def text(self, name: str) -> bytes:
        """Contents of a file."""
        entry = self._entries[name]
        if entry.compress_type != _ZSTANDARD:
            with zipfile.ZipFile(self._path) as archive:
                return archive.read(name)
        import zstandard

        with self._path.open("rb") as file:
            file.seek(entry.header_offset)
            lengths = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
            file.seek(entry.header_offset + _LOCAL_HEADER.size + sum(lengths))
            compressed = file.read(entry.compress_size)
        return bytes(zstandard.ZstdDecompressor().decompressobj().decompress(compressed))


def log_files(path: Path) -> list[Path]:
    """Return the logs at a path: itself, or those below a folder."""
    if path.is_file():
        return [path] if path.suffix == ".eval" or (path.suffix == ".json" and _is_log(path)) else []
    return [
        file for file in sorted(path.rglob("*")) if file.suffix == ".eval" or (file.suffix == ".json" and _is_log(file))
    ]


def _is_log(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(400)
    return b'"version"' in head and b'"status"' in head and b'"eval"' in head


def read(path: Path) -> list[ForeignRun]:
    """Read one run per model; logs of several tasks of a model are brought together.

    Raises:
        MedctxError: If a log is unfinished, or its scores are not right or wrong.
    """
    runs: dict[str, list[ForeignRun]] = {}
    for file in log_files(path):
        run = _read_log(file)
        runs.setdefault(run.model, []).append(run)
    return [
        ForeignRun(model, parts[0].harness, path, tuple(answer for part in parts for answer in part.answers))
        for model, parts in runs.items()
    ]


def _read_log(path: Path) -> ForeignRun:
    if path.suffix == ".eval":
        archive = _Archive(path)
        header_name = "header.json" if "header.json" in archive.names else "_journal/start.json"
        header = parse_object(archive.text(header_name), f"{path}:{header_name}")
        samples = list(_archived_samples(archive, path))
    else:
        header = read_object(path)
        samples = [mapping(sample) for sample in sequence(header.get("samples"))]
    evaluation = mapping(header.get("eval"))
    if header.get("status") != "success":
        raise MedctxError(
            f"The inspect log {path} has the status {header.get('status')!r}; finish it with `inspect eval-retry`."
        )
    headline = mapping(mapping(header.get("results")).get("headline"))
    scorers = [str(mapping(scorer).get("name")) for scorer in sequence(evaluation.get("scorers"))]
    scorer = str(headline.get("score") or (scorers[0] if scorers else ""))
    version = mapping(evaluation.get("packages")).get("inspect_ai", "")
    task = str(evaluation.get("task"))
    return ForeignRun(
        model=str(evaluation.get("model")),
        harness=f"inspect {version}".strip(),
        source=path,
        answers=tuple(_answer(task, sample, scorer, path) for sample in samples),
    )


def _archived_samples(archive: _Archive, path: Path) -> Iterator[Mapping[str, object]]:
    """The summaries of the samples, which are short, or the samples themselves in older archives."""
    if "summaries.json" in archive.names:
        text = b'{"samples": ' + archive.text("summaries.json") + b"}"
        yield from (mapping(sample) for sample in sequence(parse_object(text, f"{path}:summaries.json")["samples"]))
        return
    for name in archive.names:
        if name.startswith("samples/") and name.endswith(".json"):
            yield parse_object(archive.text(name), f"{path}:{name}")


def _question(value: object) -> str:
    if isinstance(value, str):
        return value
    messages = [mapping(message) for message in sequence(value)]
    users = [message.get("content") for message in messages if message.get("role") == "user"]
    return str(users[-1]) if users else ""


def _answer(task: str, sample: Mapping[str, object], scorer: str, path: Path) -> ForeignAnswer:
    question, listed = split_prompt(_question(sample.get("input")))
    options = tuple(str(choice) for choice in sequence(sample.get("choices"))) or listed
    target = sample.get("target")
    targets = [str(entry) for entry in target] if isinstance(target, list) else [str(target)]
    gold = tuple(sorted(filter(None, (letter_of(entry, options) for entry in targets)))) if options else NO_OPTIONS
    scores = mapping(sample.get("scores"))
    score = mapping(scores.get(scorer) or next(iter(scores.values()), None))
    answer = str(score.get("answer") or "")
    chosen = _letters(answer, options)
    verdict = _verdict(sample, score, answer, path)
    if verdict == Verdict.CORRECT and not chosen:
        chosen = gold
    return ForeignAnswer(
        exam=task,
        item=str(sample.get("id")),
        question=question,
        options=options,
        gold=gold or NO_OPTIONS,
        chosen=chosen if verdict in {Verdict.CORRECT, Verdict.WRONG} else (),
        verdict=verdict,
        mode="generate",
        order=_epoch(sample) - 1,
        passage=passage_of(mapping(sample.get("metadata"))),
        detail=answer[:80],
    )


def _epoch(sample: Mapping[str, object]) -> int:
    epoch = sample.get("epoch")
    return epoch if isinstance(epoch, int) and epoch > 0 else 1


def _letters(answer: str, options: Sequence[str]) -> tuple[str, ...]:
    parts = [letter_of(part, options) for part in answer.split(",")]
    return tuple(sorted(set(parts))) if parts and all(parts) else ()


def _verdict(sample: Mapping[str, object], score: Mapping[str, object], answer: str, path: Path) -> Verdict:
    if sample.get("error"):
        return Verdict.FAILED
    value = score.get("value")
    if value in ("C", 1, True):
        return Verdict.CORRECT
    if value not in ("I", "N", 0, False):
        raise MedctxError(
            f"The inspect log {path} scores the sample {sample.get('id')} with {value!r}; runs are compared by items "
            "that are right (C or 1) or wrong (I or 0)."
        )
    if sample.get("limit"):
        return Verdict.TRUNCATED
    return Verdict.WRONG if answer and value != "N" else Verdict.UNPARSABLE
