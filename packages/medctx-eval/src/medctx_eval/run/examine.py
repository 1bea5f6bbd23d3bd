"""All models of a run, one after the other: which are done already, what is asked of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import JsonValue

from medctx.config import loading as configs
from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.jsonl import read_record
from medctx.process.progress import console, say
from medctx.schemas.exam_run import EXAM_FILE, Cost, ExamManifest
from medctx.schemas.records import Judged, Mode, Verdict
from medctx.tracking import mlflow_run as tracking
from medctx_eval.artifacts import run_folder
from medctx_eval.artifacts.run_folder import RunFolder
from medctx_eval.artifacts.verdict_table import cost_line, verdict_table
from medctx_eval.engines.endpoint import EndpointEngine
from medctx_eval.engines.machine import in_float32
from medctx_eval.engines.protocol import Engine
from medctx_eval.planning.requests import RequestBuilder
from medctx_eval.prompting import tokenizers
from medctx_eval.prompting.prompt import Tokenizer
from medctx_eval.run import canary, modes
from medctx_eval.run.config import ModelConfig, RunConfig
from medctx_eval.run.estimate import Estimate, estimate
from medctx_eval.run.exam_plan import ExamPlan, build_exams
from medctx_eval.run.identity import identity, shortest, versions, with_digests
from medctx_eval.run.runner import examine
from medctx_eval.run.session import Session, engine_kind, slug


def tokenizer_name(config: RunConfig) -> str:
    """Whose tokenizer measures and renders the prompts: that of the first model where none is given."""
    folder = config.models[0].folder if config.models else None
    name = config.tokenizer or (str(folder) if folder else "")
    if not name:
        raise MedctxError(
            "There is no tokenizer to render prompts with; give tokenizer=<folder or hub name of the model>, or "
            "tokenizer=bytes for a server whose tokenizer is not published."
        )
    return name


def headline(judged: Sequence[Judged], mode: Mode) -> list[tuple[str, float]]:
    """Accuracy per axis in the headline mode, for the tracker's tables; the report has the intervals."""
    found = []
    for axis in ("knowledge", "reading"):
        own = [one for one in judged if one.axis == axis and one.mode == mode and one.tags.get("taught") != "no"]
        if own:
            found.append((axis, sum(one.verdict is Verdict.CORRECT for one in own) / len(own)))
    return found


def request_builder(config: RunConfig, tokenizer: Tokenizer, name: str) -> RequestBuilder:
    """Who makes the questions for the model of this identity."""
    return RequestBuilder(tokenizer, name, config.all_modes, config.orders, config.answer_tokens)


class Examination:
    """A run: its paper, its models with their digests, its engines."""

    def __init__(self, config: RunConfig, out: Path) -> None:
        if not config.models:
            raise MedctxError("There is no model to examine; give models with a name and a folder, or urls.")
        self._config, self._out = config, out
        self.kind = engine_kind(config)
        self._tokenizer = tokenizers.load(tokenizer_name(config))
        self.models = [with_digests(model) for model in config.models]
        self.exam_plan = ExamPlan(config, build_exams(config), self._tokenizer)
        self._session = Session(config, self.kind, out)

    def _folder(self, model: ModelConfig, name: str) -> Path:
        return self._out / f"{slug(model.name)}-{name[: digest.SHORT]}"

    def _key(self, name: str) -> str:
        asked = [self._config.all_modes, self._config.orders, self._config.answer_tokens]
        return digest.of_value([name, self.exam_plan.digest, asked])

    def _done(self, folder: Path, key: str) -> bool:
        file = folder / EXAM_FILE
        return file.is_file() and read_record(file, ExamManifest).key == key

    def _adopted(self, model: ModelConfig, name: str, folder: Path, key: str) -> bool:
        """Whether these weights were asked this paper under another name, as a cell is named anew when a study gets a
        second seed; its run is then this one's, too. A model that is listed twice is meant to be asked twice.
        """
        arithmetic = self._arithmetic()
        twins = [one for one in self.models if identity(one, self.kind, arithmetic) == name]
        if folder.exists() or len(twins) > 1:
            return False
        for other in sorted(self._out.glob(f"*-{name[: digest.SHORT]}")):
            if self._done(other, key):
                cell = model.cell or model.name
                run_folder.adopt(folder, other, model=model.name, cell=cell, training_seed=model.training_seed)
                return True
        return False

    def _proof(self, model: ModelConfig, engine: Engine) -> dict[str, float]:
        """That an adapter served beside its base acts; nothing where there is nothing to prove or no reference."""
        if self.kind != "vllm" or model.adapter is None or not self._config.proof or not canary.provable():
            return {}
        with self._session.base_engine(model, self._tokenizer) as base:
            found = canary.prove(model, engine, base, self._tokenizer, float32=in_float32(self._config.precision))
        return found.model_dump()

    def _manifest(
        self, model: ModelConfig, engine: Engine, key: str, judged: int, cost: Cost, proof: dict[str, float]
    ) -> ExamManifest:
        config = self._config
        return ExamManifest(
            model=model.name,
            cell=model.cell or model.name,
            training_seed=model.training_seed,
            key=key,
            weights_digest=model.weights_digest,
            adapter_digest=model.adapter_digest,
            engine=self.kind,
            mode=config.mode,
            modes=config.all_modes,
            possible=modes.possible_modes(engine),
            means=modes.means(engine) | self._computed(),
            proof=proof,
            exam_plan=self.exam_plan.save(self._out),
            exams=tuple(exam.card for exam in self.exam_plan.exams),
            conditions=tuple(self.exam_plan.conditions),
            unalterable=self.exam_plan.unalterable,
            n=judged,
            cost=cost,
            versions=versions(self.kind),
            seed=config.seed,
        )

    def _examine(self, model: ModelConfig, engine: Engine, name: str, folder: Path, key: str) -> None:
        config = self._config
        modes.require_modes(config, engine, self.exam_plan, model.name)
        if self.kind == "endpoint" and "text" in engine.forms:
            canary.same_as_before(engine, self._tokenizer, folder, model.name)
        proof = self._proof(model, engine)
        judged, spent = examine(
            self.exam_plan,
            engine,
            request_builder(config, self._tokenizer, name),
            name=model.name,
            positions=shortest(self.models, config.positions, config.vllm.max_model_len, engine.max_positions),
            folder=folder,
            modes=config.all_modes,
            orders=config.orders,
        )
        cost = Cost(books=len(self.exam_plan.books), **spent.model_dump())
        run_folder.write(folder, self._manifest(model, engine, key, len(judged), cost, proof), judged)

    def _computed(self) -> dict[str, str]:
        if self.kind == "endpoint":
            return {}
        return {"arithmetic": "float32 throughout" if in_float32(self._config.precision) else "as stored"}

    def _arithmetic(self) -> JsonValue:
        """How an engine of our own computes: the reference always gives a half-precision model a float32 head."""
        own = self._config.vllm.arithmetic if self.kind == "vllm" else "float32 head"
        return ["float32" if in_float32(self._config.precision) else "stored", own]

    def _root(self, engine: Engine) -> str:
        return engine.root if self.kind == "endpoint" and isinstance(engine, EndpointEngine) else ""

    def run(self, model: ModelConfig) -> tuple[Path, bool]:
        """Examine one model; returns its folder and whether there was anything to do."""
        if self.kind != "endpoint":
            name = identity(model, self.kind, self._arithmetic())
            folder, key = self._folder(model, name), self._key(name)
            if self._done(folder, key) or self._adopted(model, name, folder, key):
                return folder, False
            with self._session.engine(model, self._tokenizer) as engine:
                self._examine(model, engine, name, folder, key)
            return folder, True
        with self._session.engine(model, self._tokenizer) as engine:
            name = identity(model, self.kind, root=self._root(engine))
            folder, key = self._folder(model, name), self._key(name)
            if self._done(folder, key):
                return folder, False
            self._examine(model, engine, name, folder, key)
        return folder, True

    def close(self) -> None:
        """Stop what was started."""
        self._session.close()


@contextmanager
def _opened(config: RunConfig, out: Path) -> Iterator[Examination]:
    examination = Examination(config, out)
    try:
        yield examination
    finally:
        examination.close()


def _track(tracked: tracking.Run, folder: Path, found: RunFolder, mode: Mode) -> None:
    """Headline numbers, costs and the result files of one model."""
    name = slug(found.manifest.model)
    tracked.metrics({f"{name}.{axis}": value for axis, value in headline(found.judged, mode)})
    spent = found.manifest.cost.model_dump().items()
    tracked.metrics({f"{name}.{what}": float(value) for what, value in spent if value is not None})
    for file in (run_folder.VERDICTS, EXAM_FILE):
        tracked.artifact(folder / file, f"exam/{folder.name}")


def _show(found: RunFolder) -> None:
    """The verdicts counted and the cost, for whoever watches."""
    console.print(verdict_table(found.manifest.model, found.judged))
    say(cost_line(found.manifest.cost))


def dry_run(config: RunConfig) -> Estimate:
    """What the exam would cost, without asking anything; needs no server."""
    tokenizer = tokenizers.load(tokenizer_name(config))
    exam_plan = ExamPlan(config, build_exams(config), tokenizer)
    folders = any(model.folder for model in config.models)
    known = folders or config.positions or config.vllm.max_model_len
    positions = shortest(config.models, config.positions, config.vllm.max_model_len) if known else 0
    return estimate(exam_plan, request_builder(config, tokenizer, ""), positions)


def run(config: RunConfig, out: Path, finished: Callable[[Path], None] = lambda folder: None) -> list[Path]:
    """Examine every model of the config into a folder of its own; returns the folders in the models' order.

    ``finished`` is told each folder. A model that cannot be examined does not stop the others: it is named at the end.
    """
    folders = []
    failed: dict[str, MedctxError] = {}
    with _opened(config, out) as examination, tracking.run("exam", "exam") as tracked:
        out.mkdir(parents=True, exist_ok=True)
        configs.save(config, out / "config.yaml")
        exam_plan = examination.exam_plan
        tracked.params(
            {
                "engine": examination.kind,
                "mode": config.mode,
                "items": len(exam_plan.planned_items),
                "books": len(exam_plan.books),
            }
        )
        for name, count in exam_plan.unalterable.items():
            if count:
                say(f"{count} items of {name} are not asked under counterfactual: no altered evidence is certain.")
        for exam in exam_plan.exams:
            tracked.tags({f"exam.{exam.card.name}": exam.card.digest})
        for model in examination.models:
            try:
                folder, new = examination.run(model)
            except MedctxError as error:
                failed[model.name] = error
                say(f"{model.name} could not be examined: {error}")
                continue
            folders.append(folder)
            finished(folder)
            if not new:
                say(f"{model.name} is examined already ({folder}).")
            found = run_folder.read(folder)
            _show(found)
            # Also where another run examined it: what a run is asked for can be found in it.
            _track(tracked, folder, found, config.mode)
        if failed:
            raise _those_that_failed(failed, len(examination.models))
    return folders


def _those_that_failed(failed: Mapping[str, MedctxError], models: int) -> MedctxError:
    """One sentence for all of them; that of a single model is its own."""
    first = next(iter(failed.values()))
    if models == 1:
        return first
    return MedctxError(
        f"{len(failed)} of {models} models could not be examined ({', '.join(failed)}), the first because: {first}"
    )
