"""The config of a study: one YAML file in ``studies/``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, JsonValue, field_validator, model_validator

from medctx.config import loading as configs
from medctx.config.loading import Config
from medctx.facts.curriculum import CurriculumConfig
from medctx.schemas.ratio import lowest_terms
from medctx.schemas.study_plan import PlanAxis


class ContrastConfig(Config):
    """One cell less another on an axis. Cells are named without their seeds."""

    cell: str = Field(description="Name of the cell.")
    against: str = Field("", description="Cell it is compared with; empty: its untouched base.")
    axis: PlanAxis = Field("reading", description="What is compared.")


class PredictionConfig(Config):
    """What is expected of the primary contrast, in accuracy points as a share of 1."""

    low: float = Field(description="Low end of what would be no surprise.")
    expected: float = Field(description="The expected difference.")
    high: float = Field(description="High end.")
    reason: str = Field(min_length=1, description="Why.")


class PlanConfig(Config):
    """What a study compares, how it decides, and how small a difference it sees."""

    primary: ContrastConfig | None = Field(
        None,
        description="The contrast the study is sized by and judged by first; null: the trained cell with the least "
        "general data against its base on reading.",
    )
    contrasts: tuple[ContrastConfig, ...] = Field(
        (),
        description="The family: contrasts that are decided together; empty: every trained cell against its base on "
        "every axis.",
    )
    margin: float | None = Field(
        None, gt=0, lt=1, description="Loss of reading that counts as none; null: report.margin."
    )
    error_rate: float = Field(0.05, gt=0, lt=1, description="Probability of any false claim in the family.")
    weights: dict[PlanAxis, dict[str, Annotated[float, Field(gt=0)]]] = Field(
        default_factory=dict,
        description="Weights by axis and by exam and condition, such as {reading: {records-reading open:256: 1}}; of "
        "an axis that is not named all conditions weigh alike.",
    )
    difference: float = Field(0.10, gt=0, lt=1, description="Difference that the power is stated for.")
    power: float = Field(0.8, gt=0, lt=1, description="Power that the smallest detectable difference is stated for.")
    item_sd: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Assumed standard deviation of an item's paired difference: the root of the share of items that "
        "exactly one of two models answers.",
    )
    icc: float = Field(
        0.05, ge=0, le=1, description="Assumed correlation of the paired differences of a cluster's items."
    )
    seed_sd: float = Field(
        0.02, ge=0, le=1, description="Assumed standard deviation of a cell's accuracy over training seeds."
    )
    prediction: PredictionConfig | None = Field(None, description="What is expected of the primary contrast.")


STUDIES = Path(__file__).parents[2] / "studies"
OVERLAYS = STUDIES / "with"
PLACES = {"work", "data", "executor", "title", "trial"}
"""Keys that say where a study runs, not what it measures."""
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
"""Names of folders, MLflow runs and registered models."""

Design = Literal["grid", "one-at-a-time", "space-filling", "listed"]
Section: TypeAlias = dict[str, JsonValue]
"""Keys that are handed to a console command, whose own config validates them."""


def _halves(exam: Section) -> dict[str, set[str]]:
    """The halves of every exam of a section, by its name and file."""
    entries = exam.get("exams")
    halves: dict[str, set[str]] = {}
    for entry in entries if isinstance(entries, list) else [entries] if entries else []:
        keys = entry if isinstance(entry, dict) else {"exam": entry}
        name = " ".join(str(keys[key]) for key in ("exam", "path", "items") if keys.get(key))
        halves.setdefault(name, set()).add(str(keys.get("half", "all")))
    return halves


def _confirmed_by_selection(exam: Section, confirmation: Section) -> str:
    """An exam whose items would both select and confirm cells, "" where there is none."""
    if not confirmation:
        return ""
    selecting, confirming = _halves(exam), _halves({**exam, **confirmation})
    apart = ({"selection"}, {"confirmation"})
    return next((name for name in confirming if name in selecting and (selecting[name], confirming[name]) != apart), "")


class BaseConfig(Config):
    """A model that cells start from, referred to by its label.

    The sizes are for forecasts of models whose config file is not on this machine.
    """

    id: str = Field("", description="Hub ID, folder or embedded name; empty: the label.")
    confirmed: bool = Field(True, description="Whether the ID was seen on the hub.")
    note: str = Field("", description="Shown by --dry-run.")
    parameters: int | None = Field(None, ge=1, description="Number of parameters.")
    hidden: int | None = Field(None, ge=1, description="Width of the residual stream.")
    layers: int | None = Field(None, ge=1, description="Number of decoder layers.")
    intermediate: int | None = Field(None, ge=1, description="Width of the MLPs.")
    heads: int | None = Field(None, ge=1, description="Number of attention heads.")
    kv_heads: int | None = Field(None, ge=1, description="Number of key/value heads; null: as many as heads.")
    vocabulary: int | None = Field(None, ge=1, description="Number of tokens in the vocabulary.")
    positions: int | None = Field(None, ge=1, description="Context length in tokens.")
    urls: tuple[str, ...] = Field(
        (), description="Addresses of a server that has the model under the name id: it is examined, never trained."
    )
    key_variable: str = Field("OPENAI_API_KEY", description="Environment variable that holds the server's API key.")
    tokenizer: str = Field("bytes", description="Tokenizer of a model behind a server: folder, hub ID or 'bytes'.")


class ExternalCellConfig(Config):
    """One cell from elsewhere: an adapter, a model, or a model behind an endpoint. It is examined, not trained."""

    name: str = Field("", description="Name of the cell; empty: the last part of its path, or the model's name.")
    adapter: str = Field("", description="A PEFT adapter: a folder, a hub ID, or models:/NAME@ALIAS.")
    model: str = Field(
        "", description="A whole model: a folder, a hub ID, or an embedded name; with endpoint, its name there."
    )
    endpoint: str = Field("", description="Address of an OpenAI-compatible server that has the model.")
    base: str = Field(
        "",
        description="Label of the base it is compared with, empty for the first; an adapter is loaded on it too, if "
        "base is given.",
    )
    tokenizer: str = Field("bytes", description="Tokenizer of a model behind an endpoint: folder, hub ID or 'bytes'.")
    key_variable: str = Field("OPENAI_API_KEY", description="Environment variable that holds the endpoint's API key.")
    positions: int | None = Field(None, ge=1, description="Context length of a model behind an endpoint, in tokens.")

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if bool(self.adapter) == bool(self.model):
            raise ValueError(
                "a cell from elsewhere is an adapter, a model, or a model at an endpoint; give adapter, model, or "
                "endpoint and model"
            )
        if self.endpoint and not self.model:
            raise ValueError("an endpoint needs model, the name of the model there")
        return self

    @property
    def origin(self) -> Literal["adapter", "model", "endpoint"]:
        """What it is."""
        return "endpoint" if self.endpoint else "adapter" if self.adapter else "model"

    @property
    def source(self) -> str:
        """Where its weights come from; of a model behind an endpoint, its name there."""
        return self.adapter or self.model

    @property
    def cell(self) -> str:
        """The name of its cell."""
        return self.name or PurePosixPath(self.source.rstrip("/")).name or self.source


class ExecutorConfig(Config):
    """Where the steps run, and how many at a time.

    ``local`` runs them on this machine; ``ray`` on a Ray cluster, whose machines must see the work folder and the
    caches at the same paths.
    """

    kind: Literal["local", "ray"] = Field("local", description="This machine, or a Ray cluster.")
    workers: int = Field(1, ge=1, description="Steps that run at a time.")
    memory_gib: float | None = Field(
        None, gt=0, description="Memory that steps running at a time may need together (local); null: what is free."
    )
    address: str = Field("", description="Address of the Ray cluster; empty: one is started on this machine.")
    cpus: float = Field(1, ge=0, description="CPUs of a training or exam step (ray).")
    gpus: float = Field(0, ge=0, description="GPUs of a training or exam step (ray).")
    retries: int = Field(2, ge=0, description="How often a step whose process was killed is restarted; it resumes.")


class StudyConfig(Config):
    """A grid of cells and the exam that all of them are given.

    The axes are ``bases``, ``ratios``, ``amounts``, ``methods``, ``sources``, ``wraps``, ``repairs`` and ``seeds``.
    The untouched bases are always cells. ``mix``, ``train``, ``exam`` and ``report`` are handed to ``medctx-data mix``,
    ``medctx-train sft``, ``medctx-eval run`` and ``medctx-eval report``.
    """

    name: str = Field(pattern=f"^{NAME}$", description="Name of the study, of its folder and of its MLflow run.")
    title: str = Field("", description="Title of the report.")
    base: str = Field("smollm2-135m-instruct", description="The only base, where bases is empty.")
    bases: tuple[str, ...] = Field((), description="Labels in models, or models by ID, folder or embedded name.")
    models: dict[str, BaseConfig] = Field(default_factory=dict, description="What is known of the bases, by label.")
    stand_in: str = Field("", description="A model that replaces every base, to try a study at a small size.")
    ratios: tuple[str, ...] = Field(
        ("1:0", "1:1", "0:1"), description="general:medical; empty: nothing is trained, the bases are examined."
    )
    amounts: tuple[int, ...] = Field(
        (), description="Amounts of training data in the unit of the mix; empty: the value of tokens."
    )
    seeds: tuple[int, ...] = Field((0,), min_length=1, description="Seeds that every cell is trained with.")
    tokens: int = Field(40_000, ge=1, description="Training data per cell, in the unit of the mix.")
    hours: float | None = Field(None, gt=0, description="Time for all training together; replaces tokens.")
    equal_tokens: bool = Field(
        False, description="Also train every smaller amount in as many epochs as make it the largest."
    )
    methods: tuple[str, ...] = Field((), description="Names in recipes, or methods of the trainer; empty: as in train.")
    recipes: dict[str, Section] = Field(
        default_factory=dict, description="Keys of medctx-train sft by method, merged into train."
    )
    sources: tuple[str, ...] = Field(
        (),
        description="Names in source_sets: which data are mixed; empty: as in mix.",
    )
    source_sets: dict[str, Section] = Field(
        default_factory=dict, description="Keys of medctx-data mix by name, merged into mix."
    )
    wraps: tuple[float, ...] = Field((), description="Fractions of Dialogues with a Book; empty: as in mix.")
    repairs: tuple[str, ...] = Field((), description="Names in arms; every trained cell is repaired by each.")
    arms: dict[str, Section] = Field(default_factory=dict, description="Configs of medctx-train repair, by name.")
    chat_template: str = Field(
        "", description="The chat_template of mix, train and exam, for bases that have none: chatml, plain, or a file."
    )
    design: Design = Field("grid", description="Which points of the grid are cells.")
    center: dict[str, str | int | float] = Field(
        default_factory=dict, description="Point of a one-at-a-time design, by axis; default: first values."
    )
    point_count: int | None = Field(None, ge=1, description="Number of points of a space-filling design.")
    points: tuple[dict[str, str | int | float], ...] = Field(
        (), description="Points of a listed design, by axis; an axis that a point leaves out has its first value."
    )
    cells: tuple[ExternalCellConfig, ...] = Field(
        (),
        description="Checkpoints from elsewhere that are examined beside the trained cells: {adapter: path, hub ID or "
        "models:/NAME@ALIAS}, {model: path or hub ID}, or {endpoint: URL, model: NAME}.",
    )
    curriculum: CurriculumConfig = Field(
        CurriculumConfig(), description="Split of the embedded facts, the same in Dialogues and exam."
    )
    adapters: Literal["auto", "hot", "merged"] = Field(
        "auto",
        description="Whether the exam serves adapters on their base or merged; auto: as the exam's size advises.",
    )
    data: Path | None = Field(None, description="Replaces ${data} in the sections below and in the IDs of models.")
    mix: Section = Field(default_factory=dict, description="Config of medctx-data mix.")
    train: Section = Field(default_factory=dict, description="Config of medctx-train sft.")
    exam: Section = Field(default_factory=dict, description="Config of medctx-eval run.")
    report: Section = Field(default_factory=dict, description="Config of medctx-eval report.")
    confirmation: Section = Field(
        default_factory=dict,
        description="Keys merged into exam, for items that select no cell (half: confirmation): asked of the base and "
        "of the champion after it was selected; empty: nothing is.",
    )
    plan: PlanConfig = Field(PlanConfig(), description="What is registered before anything is trained.")
    check_contamination: bool = Field(True, description="Compare every mix with every exam.")
    repeat_base_exam: bool = Field(
        False, description="Examine the untouched local bases twice, which measures the noise floor."
    )
    registered_model: str = Field(
        "", pattern=f"^({NAME})?$", description="MLflow name the adapters are registered under; empty: none."
    )
    trial: bool = Field(
        False,
        description="Register under NAME-trial and move no alias; set where keys of a study are overridden.",
    )
    executor: ExecutorConfig = Field(ExecutorConfig(), description="Where the steps run.")
    work: Path = Field(Path("work"), description="Folder of finished steps, shared by all studies.")

    @field_validator("ratios")
    @classmethod
    def _in_lowest_terms(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(lowest_terms, values))

    @field_validator("center")
    @classmethod
    def _center_in_lowest_terms(cls, center: dict[str, str | int | float]) -> dict[str, str | int | float]:
        return {axis: lowest_terms(str(value)) if axis == "ratio" else value for axis, value in center.items()}

    @field_validator("points")
    @classmethod
    def _points_in_lowest_terms(
        cls, points: tuple[dict[str, str | int | float], ...]
    ) -> tuple[dict[str, str | int | float], ...]:
        return tuple(map(cls._center_in_lowest_terms, points))

    @field_validator("bases", "ratios", "amounts", "seeds", "methods", "sources", "wraps", "repairs")
    @classmethod
    def _once(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(values)) < len(values):
            raise ValueError(f"names a value twice: {values}")
        return values

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        unknown = [arm for arm in self.repairs if arm not in self.arms]
        if unknown:
            raise ValueError(
                f"the repair {unknown[0]!r} is no key of arms; known are: {', '.join(self.arms) or 'none'}"
            )
        unknown = [name for name in self.sources if name not in self.source_sets]
        if unknown:
            raise ValueError(
                f"sources names {unknown[0]!r}, which is no key of source_sets; known are: "
                f"{', '.join(self.source_sets) or 'none'}"
            )
        if (self.design == "listed") != bool(self.points):
            raise ValueError("points are the cells of a listed design; give points with design: listed, and only then")
        if self.design == "space-filling" and self.point_count is None:
            raise ValueError("a space-filling design needs point_count, the number of points it may have")
        unknown = [cell.base for cell in self.cells if cell.base and cell.base not in self.labels]
        if unknown:
            raise ValueError(
                f"cells names the base {unknown[0]!r}, which the study does not have; its bases are: "
                f"{', '.join(self.labels)}"
            )
        taken = [cell.cell for cell in self.cells if cell.cell in self.labels]
        if taken:
            raise ValueError(
                f"cells has the name {taken[0]!r}, which is a base of the study; give the cell another name"
            )
        if self.hours is not None and self.amounts:
            raise ValueError("hours and amounts both say how much is trained; give one of them")
        if any(amount < 1 for amount in self.amounts):
            raise ValueError(f"amounts must be above 0: {self.amounts}")
        margin = self.report.get("margin", self.plan.margin)
        if self.plan.margin is not None and margin != self.plan.margin:
            raise ValueError(f"plan.margin is {self.plan.margin:g} and report.margin {margin}; give one of them")
        repeated = _confirmed_by_selection(self.exam, self.confirmation)
        if repeated:
            raise ValueError(
                f"confirmation asks {repeated}, which exam asks as well, so its items would confirm the cells they "
                "selected; give the one half: selection and the other half: confirmation, or confirm on another exam"
            )
        return self

    def stated_model(self, label: str) -> BaseConfig:
        """The model of a label as the study states it; of the stand-in, where there is one, only the ID is known.

        The label of a cell from elsewhere is its name.
        """
        external = next((cell for cell in self.cells if cell.cell == label), None)
        if external is not None:
            return BaseConfig(
                id=external.source,
                urls=(external.endpoint,) if external.endpoint else (),
                key_variable=external.key_variable,
                tokenizer=external.tokenizer,
                positions=external.positions,
            )
        if self.stand_in:
            return BaseConfig(id=self.stand_in)
        known = self.models.get(label, BaseConfig())
        return known if known.id else known.model_copy(update={"id": label})

    def model(self, label: str) -> BaseConfig:
        """The model of a label, with the study's data folder in place of ``${data}`` in its ID."""
        stated = self.stated_model(label)
        return stated.model_copy(update={"id": stated.id.replace("${data}", str(self.data))}) if self.data else stated

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the bases."""
        return self.bases or (self.base,)

    @property
    def registry_name(self) -> str:
        """The name adapters are registered under, "" for none; trials have a name of their own."""
        return f"{self.registered_model}-trial" if self.registered_model and self.trial else self.registered_model

    @property
    def folder(self) -> Path:
        """Where the study's own files lie: its plan, its report, its law. A trial does not touch those of the study."""
        return self.work / "studies" / (f"{self.name}-trial" if self.trial else self.name)


def load_study(name: str, overlays: Sequence[str] = (), overrides: Sequence[str] = ()) -> StudyConfig:
    """Load a study by name (``studies/NAME.yaml``) or path.

    Args:
        name: Name or path of the study's file.
        overlays: Names (``studies/with/NAME.yaml``) or paths of files that are merged into it, one after the other.
        overrides: ``key=value`` pairs, applied last.
    """
    file = configs.find(name, [STUDIES])
    config = configs.load(StudyConfig, file, overrides, [configs.find(overlay, [OVERLAYS]) for overlay in overlays])
    return config.model_copy(update={"trial": True}) if _is_trial(config, configs.load(StudyConfig, file)) else config


def _is_trial(config: StudyConfig, plain: StudyConfig) -> bool:
    """Whether a study with overridden keys has the folder of the plain one or would be registered under its name."""
    shared = config.name == plain.name or (
        bool(config.registered_model) and config.registered_model == plain.registered_model
    )
    return shared and config.model_dump(exclude=PLACES) != plain.model_dump(exclude=PLACES)
