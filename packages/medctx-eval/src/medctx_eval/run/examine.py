"""Examines all models of a run, one after the other: which are done already, and what is asked of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import JsonValue

from medctx.config import loading as configs
from medctx.errors import MedctxError, UnfinishedError
from medctx.io import digest
from medctx.io.jsonl import read_record
from medctx.io.lock import exclusive
from medctx.process.cpu import hardware
from medctx.process.progress import console, say
from medctx.schemas.exam_run import EXAM_FILE, Cost, ExamManifest
from medctx.schemas.records import Judged, Mode, Verdict
from medctx.text.chat_templates import chat_template_text
from medctx.tracking import mlflow_run as tracking
from medctx_eval.artifacts import run_folder
from medctx_eval.artifacts.checksums import CHECKSUMS
from medctx_eval.artifacts.run_folder import RunFolder
from medctx_eval.artifacts.run_source import ARTIFACTS, PLAN_ARTIFACTS
from medctx_eval.artifacts.verdict_table import cost_line, verdict_table
from medctx_eval.engines.endpoint import EndpointEngine
from medctx_eval.engines.protocol import Engine
from medctx_eval.exams import registry
from medctx_eval.planning import plan as plans
from medctx_eval.planning.build import build_plan
from medctx_eval.planning.plan import ExamPlan
from medctx_eval.planning.requests import RequestBuilder
from medctx_eval.prompting import tokenizers
from medctx_eval.prompting.prompt import Tokenizer
from medctx_eval.run import canary, modes, same_model
from medctx_eval.run.config import ModelConfig, RunConfig, in_float32
from medctx_eval.run.endpoint_settings import DRY_RUN_TIMEOUT_S, say_length, settle, settle_for_estimate
from medctx_eval.run.estimate import ExamEstimate, estimate_exam
from medctx_eval.run.identity import (
    ModelDigests,
    digests_of,
    local_identity,
    served_identity,
    shortest,
    versions,
)
from medctx_eval.run.runner import ask_all
from medctx_eval.run.score import judge
from medctx_eval.run.session import EngineSettings, Session, slug
from medctx_eval.run.trained_template import with_trained_template


def tokenizer_name(tokenizer: str, models: Sequence[ModelConfig]) -> str:
    """The tokenizer that renders and measures prompts: the one given, else that of the first model's folder."""
    folder = models[0].folder if models else None
    name = tokenizer or (str(folder) if folder else "")
    if not name:
        raise MedctxError(
            "There is no tokenizer to render prompts with; give tokenizer=<folder or hub name of the model>, or "
            "tokenizer=bytes for a server whose tokenizer is not published."
        )
    return name


def headline_accuracies(judged: Sequence[Judged], mode: Mode) -> list[tuple[str, float]]:
    """Accuracy per axis in the headline mode, for the tracker; the report has the intervals."""
    accuracies = []
    for axis in ("knowledge", "reading"):
        verdicts = [
            record.verdict
            for record in judged
            if record.axis == axis and record.mode == mode and record.tags.get("taught") != "no"
        ]
        if verdicts:
            accuracies.append((axis, verdicts.count(Verdict.CORRECT) / len(verdicts)))
    return accuracies


def plan_exams(config: RunConfig, tokenizer: Tokenizer) -> ExamPlan:
    """Build the exams of a config and plan them."""
    exams = registry.build_all(config.exams, config.curriculum, config.seed)
    return build_plan(config.exams, exams, tokenizer, config.seed)


def request_builder(config: RunConfig, tokenizer: Tokenizer, identity_digest: str) -> RequestBuilder:
    """Builds the requests for the model of this identity."""
    return RequestBuilder(tokenizer, identity_digest, config.all_modes, config.orders, config.answer_tokens)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model to examine, with the digests of its files."""

    config: ModelConfig
    digests: ModelDigests


class Examination:
    """A run: its plan, its models with their digests, and its engines."""

    def __init__(self, config: RunConfig, out: Path) -> None:
        if not config.exams:
            raise MedctxError("There is no exam to ask; give --exam or exams=[{exam: NAME}] (medctx-eval exams list).")
        settings = EngineSettings.of(config)
        self.kind = settings.kind
        if config.engine == "auto" and self.kind != "endpoint":
            say(f"engine: {self.kind}, because {settings.reason}")
        self._session = Session(settings, config.models, out / "vllm.log")
        if self.kind == "endpoint":
            config = settle(config, self._session)
        if not config.models:
            raise MedctxError("There is no model to examine; give models with a name and a folder, or urls.")
        config = with_trained_template(config)
        self.config, self._out = config.model_copy(update={"mode": config.headline_mode}), out
        self._tokenizer = tokenizers.load_exam_tokenizer(
            tokenizer_name(config.tokenizer, config.models), config.chat_template
        )
        self.models = [Candidate(model, digests_of(model)) for model in config.models]
        self.plan = plan_exams(config, self._tokenizer)

    def _folder(self, model: ModelConfig, name: str) -> Path:
        return self._out / f"{slug(model.name)}-{name[: digest.SHORT]}"

    def _key(self, name: str, served_length: int = 0) -> str:
        """Digest of a model's identity, the plan and the settings; ``served_length``: what its server states."""
        config = self.config
        settings: list[JsonValue] = [list(config.all_modes), config.orders, config.answer_tokens]
        lengths = (config.positions, config.vllm.max_model_len, served_length)
        if any(lengths):
            # They decide which questions fit: after a change, those that did not fit have to be asked.
            settings.append(min(filter(None, lengths)))
        if config.chat_template:
            settings.append(chat_template_text(config.chat_template))
        return digest.of_value([name, self.plan.digest, settings])

    def _is_done(self, folder: Path, key: str) -> bool:
        file = folder / EXAM_FILE
        return file.is_file() and read_record(file, ExamManifest).key == key

    def _adopted(self, model: ModelConfig, name: str, folder: Path, key: str) -> bool:
        """Copy the run of the same weights under another name, if there is one; returns whether there was.

        A study renames a cell when it gets a second seed. A model that is listed twice is meant to be asked twice.
        """
        same = [other for other in self.models if self._local_identity(other) == name]
        if folder.exists() or len(same) > 1:
            return False
        for other in sorted(self._out.glob(f"*-{name[: digest.SHORT]}")):
            if self._is_done(other, key):
                cell = model.cell or model.name
                run_folder.copy_as(folder, other, model=model.name, cell=cell, training_seed=model.training_seed)
                return True
        return False

    def _check_adapter(self, model: ModelConfig, engine: Engine) -> dict[str, float]:
        """Check that an adapter acts beside its base; empty if there is nothing to check or no reference."""
        if model.folder is None or model.adapter is None or self.kind != "vllm":
            return {}
        if not self.config.proof or not canary.reference_available():
            return {}
        float32 = in_float32(self.config.precision)
        with self._session.base_engine(model, self._tokenizer) as base:
            check = canary.check_adapter(model.folder, model.adapter, engine, base, self._tokenizer, float32=float32)
        return check.model_dump()

    def _manifest(
        self, candidate: Candidate, engine: Engine, key: str, judged: int, cost: Cost, proof: dict[str, float]
    ) -> ExamManifest:
        config, model = self.config, candidate.config
        served = engine if self.kind == "endpoint" and isinstance(engine, EndpointEngine) else None
        return ExamManifest(
            model=model.name,
            cell=model.cell or model.name,
            training_seed=model.training_seed,
            key=key,
            weights_digest=candidate.digests.weights,
            adapter_digest=candidate.digests.adapter,
            urls=served.urls if served else (),
            served=served.described if served else {},
            engine=self.kind,
            hardware="" if served else hardware(),
            mode=config.headline_mode,
            modes=config.all_modes,
            possible=modes.possible_modes(engine),
            means=modes.means(engine) | self._precision(),
            proof=proof,
            exam_plan=plans.save_plan(self.plan, self._out),
            exams=tuple(exam.card for exam in self.plan.exams),
            conditions=self.plan.conditions,
            unalterable=self.plan.unalterable,
            n=judged,
            cost=cost,
            versions=versions(self.kind),
            seed=config.seed,
        )

    def _require_same_model(self, engine: Engine, folder: Path, model: ModelConfig) -> None:
        """Refuse another model under the address and name of the one whose answers are in the folder."""
        if self.kind == "endpoint" and isinstance(engine, EndpointEngine):
            means = modes.means_of(self.config.all_modes, engine)
            same_model.require_same_model(engine, self._tokenizer, folder, model.name, means)

    def _examine(self, candidate: Candidate, engine: Engine, name: str, folder: Path, key: str) -> None:
        config, model = self.config, candidate.config
        modes.require_modes(config.all_modes, engine, self.plan.items.values(), model.name)
        self._require_same_model(engine, folder, model)
        proof = self._check_adapter(model, engine)
        limits = (config.positions, config.vllm.max_model_len, engine.max_positions)
        judged, usage = ask_all(
            self.plan,
            engine,
            request_builder(config, self._tokenizer, name),
            name=model.name,
            positions=shortest(config.models, *limits),
            folder=folder,
            modes=config.all_modes,
            orders=config.orders,
            judge=judge,
        )
        cost = Cost(books=len(self.plan.books), **usage.model_dump())
        _require_finished(model.name, judged)
        run_folder.write_run(folder, self._manifest(candidate, engine, key, len(judged), cost, proof), judged)

    def _precision(self) -> dict[str, str]:
        if self.kind == "endpoint":
            return {}
        return {"arithmetic": "float32 throughout" if in_float32(self.config.precision) else "as stored"}

    def _local_identity(self, candidate: Candidate) -> str:
        """The identity of a model that runs here; the reference engine always has a float32 head."""
        settings = self.config.vllm.arithmetic if self.kind == "vllm" else "float32 head"
        arithmetic: JsonValue = ["float32" if in_float32(self.config.precision) else "stored", settings]
        return local_identity(candidate.digests, self.kind, arithmetic)

    @contextmanager
    def _locked(self, folder: Path) -> Iterator[None]:
        with exclusive(folder, f"Another medctx-eval run is examining into {folder}"):
            yield

    def _run_here(self, candidate: Candidate) -> tuple[Path, bool]:
        model, name = candidate.config, self._local_identity(candidate)
        folder, key = self._folder(model, name), self._key(name)
        if self._is_done(folder, key) or self._adopted(model, name, folder, key):
            return folder, False
        with self._locked(folder), self._session.engine(model, self._tokenizer) as engine:
            self._examine(candidate, engine, name, folder, key)
        return folder, True

    def _run_served(self, candidate: Candidate) -> tuple[Path, bool]:
        model = candidate.config
        with self._session.engine(model, self._tokenizer) as engine:
            assert isinstance(engine, EndpointEngine)
            if self.config.positions is None:
                say_length(engine)
            name = served_identity(model.name, candidate.digests, engine.urls, engine.described)
            folder, key = self._folder(model, name), self._key(name, engine.max_positions)
            if self._is_done(folder, key):
                self._require_same_model(engine, folder, model)
                return folder, False
            with self._locked(folder):
                self._examine(candidate, engine, name, folder, key)
        return folder, True

    def run(self, candidate: Candidate) -> tuple[Path, bool]:
        """Examine one model; returns its folder and whether anything was asked.

        Raises:
            UnfinishedError: If answers failed or the server went down; the same command continues.
            MedctxError: If the model cannot be examined.
        """
        return self._run_served(candidate) if self.kind == "endpoint" else self._run_here(candidate)

    def close(self) -> None:
        """Stop the servers that were started."""
        self._session.close()


def _require_finished(name: str, judged: Sequence[Judged]) -> None:
    """Refuse to call an exam finished that has failed answers."""
    failures = Counter(record.detail for record in judged if record.verdict is Verdict.FAILED)
    if not failures:
        return
    console.print(verdict_table(name, judged))
    reason, count = failures.most_common(1)[0]
    raise UnfinishedError(
        f"{failures.total()} of {len(judged)} answers of {name} failed ({count}: {reason or 'no reason given'}); "
        "run the same command again to ask them again, or leave out the mode, condition or items that fail every time."
    )


@contextmanager
def _open(config: RunConfig, out: Path) -> Iterator[Examination]:
    examination = Examination(config, out)
    try:
        yield examination
    finally:
        examination.close()


def _track(tracked: tracking.Run, folder: Path, run: RunFolder, mode: Mode) -> None:
    """Log the headline numbers, costs and result files of one model."""
    name = slug(run.manifest.model)
    tracked.metrics({f"{name}.{axis}": value for axis, value in headline_accuracies(run.judged, mode)})
    costs = run.manifest.cost.model_dump().items()
    tracked.metrics({f"{name}.{figure}": float(value) for figure, value in costs if value is not None})
    # With the items, `medctx-eval verify models:/...` recomputes the verdicts from the replies.
    for file in (run_folder.VERDICTS, run_folder.REPLIES, EXAM_FILE, CHECKSUMS):
        tracked.artifact(folder / file, f"{ARTIFACTS}/{folder.name}")
    plan = run.manifest.exam_plan
    if plan:
        tracked.artifact(folder.parent / plan / run_folder.ITEMS, f"{PLAN_ARTIFACTS}/{plan}")


def _show(run: RunFolder, mode: Mode, *, alone: bool) -> None:
    """Print verdict counts and cost of a model to stderr; one line for each of several, which a report compares."""
    if not alone:
        parts = [f"{axis} {100 * value:.1f} %" for axis, value in headline_accuracies(run.judged, mode)]
        parts.append(f"{run.manifest.n:,} verdicts")
        say(f"{run.manifest.model}: {', '.join(parts)}; {cost_line(run.manifest.cost)}")
        return
    console.print(verdict_table(run.manifest.model, run.judged))
    say(cost_line(run.manifest.cost))


def _settled_for_estimate(config: RunConfig) -> RunConfig:
    """Fill in what an endpoint shows, without waiting long for one that may not be there."""
    settings = EngineSettings.of(config)
    quick = replace(settings, timeout_s=DRY_RUN_TIMEOUT_S, give_up_s=DRY_RUN_TIMEOUT_S)
    session = Session(quick, config.models, Path("vllm.log"))
    try:
        return settle_for_estimate(config, session)
    finally:
        session.close()


def dry_run(config: RunConfig) -> ExamEstimate:
    """Estimate what the exam would cost, without asking a question; a server need not be there."""
    if config.urls and EngineSettings.of(config).kind == "endpoint":
        config = _settled_for_estimate(config)
    config = with_trained_template(config)
    tokenizer = tokenizers.load_exam_tokenizer(tokenizer_name(config.tokenizer, config.models), config.chat_template)
    has_folder = any(model.folder for model in config.models)
    known = has_folder or config.positions or config.vllm.max_model_len
    positions = shortest(config.models, config.positions, config.vllm.max_model_len) if known else 0
    return estimate_exam(plan_exams(config, tokenizer), request_builder(config, tokenizer, ""), positions)


def examine(config: RunConfig, out: Path, finished: Callable[[Path], None] = lambda folder: None) -> list[Path]:
    """Examine every model of a config into a folder of its own.

    A model that cannot be examined does not stop the others; the error at the end names it.

    Args:
        config: What to ask which models.
        out: Where the folders are written.
        finished: Called with each folder as soon as it is finished.

    Returns:
        The folders in the models' order.
    """
    folders = []
    failed: dict[str, MedctxError] = {}
    with _open(config, out) as examination, tracking.run("exam", "exam") as tracked:
        out.mkdir(parents=True, exist_ok=True)
        config = examination.config
        configs.save(config, out / "config.yaml")
        plan = examination.plan
        tracked.params(
            {
                "engine": examination.kind,
                "mode": config.mode,
                "items": len(plan.planned_items),
                "books": len(plan.books),
            }
        )
        for name, count in plan.unalterable.items():
            if count:
                say(f"{count} items of {name} are not asked under counterfactual: no altered evidence is certain.")
        for exam in plan.exams:
            tracked.tags({f"exam.{exam.card.name}": exam.card.digest})
        for candidate in examination.models:
            name = candidate.config.name
            try:
                folder, is_new = examination.run(candidate)
            except MedctxError as error:
                failed[name] = error
                say(f"{name} could not be examined to the end: {error}")
                continue
            folders.append(folder)
            finished(folder)
            if not is_new:
                say(f"{name} is examined already ({folder}).")
            result = run_folder.read_run(folder)
            _show(result, config.headline_mode, alone=len(examination.models) == 1)
            # Results of an earlier run are logged too: a run's results can be found in its own MLflow run.
            _track(tracked, folder, result, config.headline_mode)
        if failed:
            raise _joint_error(failed, len(examination.models))
    return folders


def _joint_error(failed: Mapping[str, MedctxError], models: int) -> MedctxError:
    """One error for all models that failed; unfinished work unless one of them cannot be examined at all."""
    first = next(iter(failed.values()))
    if models == 1:
        return first
    kind = UnfinishedError if all(isinstance(error, UnfinishedError) for error in failed.values()) else MedctxError
    return kind(
        f"{len(failed)} of {models} models could not be examined to the end ({', '.join(failed)}), the first because: "
        f"{first}"
    )
