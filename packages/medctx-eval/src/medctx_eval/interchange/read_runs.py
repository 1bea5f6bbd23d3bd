"""Turns logs of other harnesses, beside run folders of ours, into run folders that share their items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.jsonl import write_records
from medctx.process.progress import say
from medctx.schemas.exam_run import EXAM_FILE, ExamCard, ExamManifest
from medctx.schemas.records import ExamItem, Judged, Mode
from medctx_eval.artifacts import run_folder, run_source
from medctx_eval.extract.rules import extract
from medctx_eval.interchange import every_eval_records, inspect_log, lm_eval_samples, olmo_predictions
from medctx_eval.interchange.foreign import NO_OPTIONS, ForeignRun
from medctx_eval.interchange.join import ItemIndex, Joined, JoinedItem, items_of_exam, items_of_run, join_run


def _stated_letters(text: str, options: Mapping[str, str]) -> tuple[str, ...]:
    return extract(text, options, multiple=True).letters


def read_every_eval(path: Path) -> list[ForeignRun]:
    """Read Every Eval Ever records; answers without an extracted value are read as ours are."""
    return every_eval_records.read(path, _stated_letters)


READERS: tuple[tuple[str, Callable[[Path], list[Path]], Callable[[Path], list[ForeignRun]]], ...] = (
    ("lm-evaluation-harness samples", lm_eval_samples.sample_files, lm_eval_samples.read),
    ("an inspect log", inspect_log.log_files, inspect_log.read),
    ("Every Eval Ever records", every_eval_records.record_files, read_every_eval),
    ("olmo-eval predictions", olmo_predictions.prediction_files, olmo_predictions.read),
)
"""What is read, the files of it at a path, and how."""

_PLAN = "items"
_MODES: tuple[Mode, ...] = ("generate", "letter", "text", "text-raw", "choice", "text-prior")


def resolve_runs(sources: Sequence[str], scratch: Path) -> list[Path]:
    """Resolve sources to run folders that can be compared.

    Args:
        sources: What ``artifacts.run_source`` resolves, or files and folders of another harness's logs.
        scratch: Where artifacts are downloaded to, and where the logs of other harnesses become run folders.

    Returns:
        The run folders; as given if all runs are ours.

    Raises:
        MedctxError: If a source is none of these, or the runs share no items.
    """
    others = [Path(source) for source in sources if is_foreign(Path(source))]
    folders = [
        folder for source in sources if Path(source) not in others for folder in run_source.resolve(source, scratch)
    ]
    if not others:
        return folders
    foreign = [run for path in others for run in read_foreign(path)]
    return convert(with_short_names(foreign), folders, scratch / "joined")


def with_short_names(runs: Sequence[ForeignRun]) -> list[ForeignRun]:
    """Return runs whose models, where their name is the path of a folder, have the end that tells them apart."""
    folders = {run.model: Path(run.model).parts for run in runs if Path(run.model).is_absolute()}
    taken = {run.model for run in runs} - folders.keys()
    for depth in range(1, max(map(len, folders.values()), default=0) + 1):
        short = {model: str(Path(*parts[-depth:])) for model, parts in folders.items()}
        if len(set(short.values()) - taken) == len(folders):
            return [replace(run, model=short.get(run.model, run.model)) for run in runs]
    return list(runs)


def is_foreign(path: Path) -> bool:
    """Return True if a path holds logs of a harness that is read here."""
    if not path.exists() or (path / EXAM_FILE).is_file():
        return False
    return any(files(path) for _, files, _ in READERS)


def read_foreign(path: Path) -> list[ForeignRun]:
    """Return the runs at a path; raises MedctxError if there is none."""
    for _, files, read in READERS:
        if files(path) and (runs := read(path)):
            return runs
    names = ", ".join(name for name, _, _ in READERS)
    raise MedctxError(f"{path} holds none of {names}; give the folder of the logs.")


def _own_items(folder: Path) -> tuple[ExamManifest, list[ExamItem], tuple[Judged, ...]]:
    run = run_folder.read_run(folder)
    return run.manifest, list(run_folder.read_items(folder, run.manifest).values()), run.judged


def convert(foreign: Sequence[ForeignRun], folders: Sequence[Path], scratch: Path) -> list[Path]:
    """Write run folders that share their items, and say how many were joined.

    Args:
        foreign: Runs of other harnesses.
        folders: Our run folders, compared with them.
        scratch: Where the folders are written.

    Returns:
        One folder per run: first ours, then the others.

    Raises:
        MedctxError: If the runs share no items or no mode.
    """
    ours = [_own_items(folder) for folder in folders]
    by_mode = dict.fromkeys(_MODES, items_of_exam(ours[0][1])) if ours else items_of_run(foreign[0])
    items = list({item.id: item for of_mode in by_mode.values() for item in of_mode}.values())
    indexes = {mode: ItemIndex(of_mode) for mode, of_mode in by_mode.items()}
    joined = [join_run(run, indexes) for run in foreign]
    for run, result in zip(foreign, joined, strict=True):
        run_modes = {answer.mode for answer in run.answers} & by_mode.keys()
        _say_joined(run, result, len({item.id for mode in run_modes for item in by_mode[mode]}))
    records = [_comparable(judged) for _, _, judged in ours] + [result.judged for result in joined]
    names = [manifest.model for manifest, _, _ in ours] + [run.model for run in foreign]
    by_run = [{record.mode for record in _comparable(judged)} for _, _, judged in ours]
    by_run += [{answer.mode for answer in run.answers} for run in foreign]
    modes = _shared_modes(records, by_run, names)
    kept = _shared_questions(records, modes)
    manifests = [manifest for manifest, _, _ in ours] + [_manifest(run) for run in foreign]
    return _write(manifests, kept, items, scratch)


def _say_joined(run: ForeignRun, joined: Joined, total: int) -> None:
    lost = f", {joined.left_out:,} of its items have no partner" if joined.left_out else ""
    lost += f", {joined.disagreeing:,} are left out because their right letters differ" if joined.disagreeing else ""
    count = joined.by_id + joined.by_text
    ways = f"{joined.by_id:,} by id and {joined.by_text:,} by text"
    say(f"{run.model} ({run.harness}): {count:,} of {total:,} items joined, {ways}{lost}.")


def _comparable(judged: Iterable[Judged]) -> tuple[Judged, ...]:
    """Records of ours that another harness can have: closed-book, or with the evidence alone."""
    return tuple(record for record in judged if record.condition in ("closed", "gold"))


def _shared_modes(records: Sequence[Sequence[Judged]], by_run: Sequence[set[Mode]], names: Sequence[str]) -> list[Mode]:
    shared = [mode for mode in _MODES if all(mode in modes for modes in by_run)]
    if not shared:
        listed = "; ".join(f"{name}: {', '.join(sorted(modes))}" for name, modes in zip(names, by_run, strict=True))
        raise MedctxError(f"The runs were scored in no common mode ({listed}), so their results are not compared.")
    if empty := [name for name, run in zip(names, records, strict=True) if not run]:
        raise MedctxError(
            f"No item of {empty[0]} is an item of {names[0]}, by id or by text; compare runs of the same questions."
        )
    return shared


def _shared_questions(records: Sequence[Sequence[Judged]], modes: Sequence[Mode]) -> list[list[Judged]]:
    """The records of the questions that every run answers, in the shared modes."""
    kept: list[list[Judged]] = [[] for _ in records]
    for mode in modes:
        by_run = [
            {(record.item, record.condition, record.order): record for record in run if record.mode == mode}
            for run in records
        ]
        shared = set.intersection(*(set(run) for run in by_run))
        for place, run in enumerate(by_run):
            kept[place] += [record for question, record in run.items() if question in shared]
    if not kept[0]:
        raise MedctxError("The runs have no question in common in any mode; compare runs of the same questions.")
    return kept


def _manifest(run: ForeignRun) -> ExamManifest:
    modes = {answer.mode for answer in run.answers}
    return ExamManifest(
        model=run.model,
        weights_digest="",
        engine=run.harness,
        mode=next(mode for mode in _MODES if mode in modes),
        means=run.means,
        exams=(),
        conditions=(),
        n=0,
        versions={"harness": run.harness},
    )


def _write(
    manifests: Sequence[ExamManifest], records: Sequence[Sequence[Judged]], items: Sequence[JoinedItem], scratch: Path
) -> list[Path]:
    used = {record.item for record in records[0]}
    used_items = [item for item in items if item.id in used]
    write_records(scratch / _PLAN / run_folder.ITEMS, [item for joined in used_items if (item := _exam_item(joined))])
    cards = _cards(used_items)
    modes = [mode for mode in _MODES if any(record.mode == mode for record in records[0])]
    conditions = tuple(dict.fromkeys(record.condition for record in records[0]))
    folders = []
    for number, (manifest, judged) in enumerate(zip(manifests, records, strict=True)):
        folder = scratch / f"{number}-{''.join(char if char.isalnum() else '-' for char in manifest.model)}"
        update = {
            "n": len(judged),
            "mode": modes[0],
            "modes": tuple(modes),
            "exams": cards,
            "conditions": conditions,
            "exam_plan": _PLAN,
        }
        run_folder.write_run(folder, manifest.model_copy(update=update), list(judged))
        folders.append(folder)
    return folders


def _exam_item(item: JoinedItem) -> ExamItem | None:
    if len(item.options) < 2 or item.gold == NO_OPTIONS:
        return None
    return ExamItem(
        id=item.id,
        exam=item.exam,
        question=item.question or item.id,
        options=item.options,
        gold=item.gold,
        cluster=item.cluster,
        multiple=len(item.gold) > 1,
    )


def _cards(items: Sequence[JoinedItem]) -> tuple[ExamCard, ...]:
    counts: Mapping[str, int] = Counter(item.exam for item in items)
    return tuple(
        ExamCard(
            name=exam,
            source="logs of another harness",
            licence="",
            citation="",
            items=count,
            digest=digest.of_value([[item.id, item.question, item.options] for item in items if item.exam == exam]),
        )
        for exam, count in counts.items()
    )
