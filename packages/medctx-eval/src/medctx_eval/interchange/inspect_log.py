"""Reads the logs of inspect: ``.eval`` (an archive) and ``.json``."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from medctx.errors import MedctxError
from medctx.schemas.records import Verdict
from medctx_eval.interchange.foreign import (
    NO_OPTIONS,
    SHORTENED,
    ForeignAnswer,
    ForeignRun,
    cluster_of,
    letter_of,
    passage_of,
    split_evidence,
    split_prompt,
)
from medctx_eval.interchange.json_lines import mapping, parse_object, read_object, sequence

_ZSTANDARD = 93
"""The compression of newer archives, which zipfile does not know."""

_LOCAL_HEADER = struct.Struct("<26xHH")

_SHORTENED_LENGTH = 900
"""Summaries hold the beginning of longer texts, with dots at the end."""

_ATTACHMENT = "attachment://"


class _Archive:
    """The files of an ``.eval`` archive, open as a context."""

    def __init__(self, path: Path) -> None:
        try:
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError) as error:
            raise MedctxError(
                f"{path} is not an inspect log ({error}); give the .eval file that inspect wrote."
            ) from None
        self._file = path.open("rb")
        self._entries = {entry.filename: entry for entry in self._archive.infolist()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._archive.close()

    @property
    def names(self) -> list[str]:
        """Names of the files."""
        return list(self._entries)

    def text(self, name: str) -> bytes:
        """Contents of a file."""
        entry = self._entries[name]
        if entry.compress_type != _ZSTANDARD:
            return self._archive.read(name)
        import zstandard

        self._file.seek(entry.header_offset)
        lengths = _LOCAL_HEADER.unpack(self._file.read(_LOCAL_HEADER.size))
        self._file.seek(entry.header_offset + _LOCAL_HEADER.size + sum(lengths))
        compressed = self._file.read(entry.compress_size)
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
        with _Archive(path) as archive:
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
    """The summaries of the samples; in full where a summary is shortened, and in older archives."""
    names = archive.names
    if "summaries.json" in names:
        known = set(names)
        text = b'{"samples": ' + archive.text("summaries.json") + b"}"
        for sample in map(mapping, sequence(parse_object(text, f"{path}:summaries.json")["samples"])):
            name = f"samples/{sample.get('id')}_epoch_{sample.get('epoch')}.json"
            whole = _is_shortened(sample) and name in known
            yield _used_keys(parse_object(archive.text(name), f"{path}:{name}")) if whole else sample
        return
    for name in names:
        if name.startswith("samples/") and name.endswith(".json"):
            yield _used_keys(parse_object(archive.text(name), f"{path}:{name}"))


_USED = ("id", "epoch", "input", "choices", "target", "scores", "metadata", "error", "limit", "attachments")


def _used_keys(sample: Mapping[str, object]) -> Mapping[str, object]:
    """A sample without its transcript, which is long."""
    return {key: sample[key] for key in _USED if key in sample}


def _is_shortened(sample: Mapping[str, object]) -> bool:
    """Return True if a summary holds only the beginning of the question or of its passage."""
    texts = (_question(sample), passage_of(mapping(sample.get("metadata"))))
    return any(len(text) >= _SHORTENED_LENGTH and SHORTENED.search(text[-60:]) for text in texts)


def _question(sample: Mapping[str, object]) -> str:
    """The input of a sample, or its last user message; long texts may be kept beside it."""
    value = sample.get("input")
    if not isinstance(value, str):
        messages = [mapping(message) for message in sequence(value)]
        users = [_content(message.get("content")) for message in messages if message.get("role") == "user"]
        value = users[-1] if users else ""
    attachment = mapping(sample.get("attachments")).get(value.removeprefix(_ATTACHMENT))
    return attachment if isinstance(attachment, str) else value


def _content(value: object) -> str:
    """The text of a message, which is one text or a list of parts."""
    if isinstance(value, str):
        return value
    return "".join(str(mapping(part).get("text") or "") for part in sequence(value))


def _answer(task: str, sample: Mapping[str, object], scorer: str, path: Path) -> ForeignAnswer:
    notes = mapping(sample.get("metadata"))
    asked, passage = split_evidence(_question(sample), notes)
    question, listed = split_prompt(asked)
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
        passage=passage,
        detail=answer[:80],
        cluster=cluster_of(notes),
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
