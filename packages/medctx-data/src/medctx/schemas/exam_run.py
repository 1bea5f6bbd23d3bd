"""The manifest of an examined model, ``exam.json``: written by ``medctx-eval run``, read by reports and the study."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field, JsonValue

from medctx.schemas.records import Axis, Domain, Mode, Record

EXAM_FILE = "exam.json"
VERDICTS_FILE = "verdicts.jsonl"
"""The outcomes of an examined model, a ``Judged`` record a line."""


class ExamCard(Record):
    """Where an exam comes from and how it may be used.

    Attributes:
        name: The name it is asked for by.
        source: What it was made from.
        licence: Under which terms it may be used.
        citation: How to cite it.
        language: Language of the questions.
        domain: ``medical``, or ``general`` for controls.
        revision: Revision of the published files; empty for generated exams and the user's own files.
        generated: Whether medctx generates it.
        dropped: Number of questions left out, by reason.
        items: Number of items.
        passages: Number of Passages.
        digest: Digest of its items, Passages and alterations.
    """

    name: str
    source: str
    licence: str
    citation: str
    language: str = "en"
    domain: Domain = "medical"
    revision: str = ""
    generated: bool = False
    dropped: dict[str, int] = Field(default_factory=dict)
    items: int = 0
    passages: int = 0
    digest: str = ""


class PlannedPart(Record):
    """One Condition of one exam as it will be asked, all its depths together.

    Attributes:
        exam: Name of the exam.
        condition: Name of the Condition, without a depth.
        axis: What it measures.
        items: Number of items.
        untaught: Of these, items whose fact training leaves out.
        clusters: Clusters the items come from.
        books: Distinct Books.
    """

    exam: str
    condition: str
    axis: Axis
    items: int = Field(ge=1)
    untaught: int = Field(0, ge=0)
    clusters: int = Field(ge=1)
    books: int = Field(0, ge=0)


class Usage(Record):
    """Requests, tokens and time; None where a server does not report a figure.

    Attributes:
        requests: HTTP requests, or prefills of an engine in this process.
        prompt_tokens: Prompt tokens sent.
        computed_tokens: Of these, the tokens that were computed, not read from a prefix cache.
        book_prefills: How often a Book was computed.
        seconds: Wall-clock time.
    """

    requests: int = 0
    prompt_tokens: int = 0
    computed_tokens: int | None = None
    book_prefills: float | None = None
    seconds: float = 0.0

    def since(self, earlier: Usage) -> Usage:
        """What was counted after ``earlier``, a count of the same engine."""
        prefills, computed = self.book_prefills, self.computed_tokens
        return Usage(
            requests=self.requests - earlier.requests,
            prompt_tokens=self.prompt_tokens - earlier.prompt_tokens,
            computed_tokens=None if computed is None else computed - (earlier.computed_tokens or 0),
            book_prefills=None if prefills is None else prefills - (earlier.book_prefills or 0.0),
            seconds=self.seconds - earlier.seconds,
        )


def total_usage(usages: Iterable[Usage]) -> Usage:
    """Add up usages.

    ``computed_tokens`` is None if any part does not know it; a part without ``book_prefills`` has asked about no Book.
    """
    parts = list(usages)
    computed = [part.computed_tokens for part in parts if part.computed_tokens is not None]
    prefills = [part.book_prefills for part in parts if part.book_prefills is not None]
    return Usage(
        requests=sum(part.requests for part in parts),
        prompt_tokens=sum(part.prompt_tokens for part in parts),
        computed_tokens=sum(computed) if computed and len(computed) == len(parts) else None,
        book_prefills=sum(prefills) if prefills else None,
        seconds=sum(part.seconds for part in parts),
    )


class Cost(Usage):
    """The usage of one model over all sessions of its exam, and how many ``books`` the exam has."""

    books: int = 0


class ExamManifest(Record):
    """One examined model.

    Attributes:
        model: Its name.
        cell: What was trained; runs of one cell differ in the training seed only.
        training_seed: Seed of the training.
        key: Digest of model and plan; a run with the same key need not be done again.
        weights_digest: Digest of the model or, of a tuned one, of its base (``medctx.model.identity``).
        adapter_digest: Digest of the adapter.
        urls: Addresses of the servers that answered, without secrets.
        served: What the first server says of the model and of itself.
        verdicts_digest: Digest of the file of verdicts.
        engine: The engine that answered.
        hardware: Processor or accelerators that computed; empty behind servers and for other harnesses.
        mode: Scoring mode of the headline numbers.
        modes: All scoring modes.
        possible: Modes that the engine supports.
        means: How each form was scored or constrained.
        proof: How far the adapter moves the canary in the reference and as served, in nats.
        exam_plan: Name of the sibling folder with the items and Books.
        exams: Cards of the exams.
        conditions: Names of the Conditions.
        unalterable: By exam, items left out of ``counterfactual``.
        n: Number of Judged records.
        cost: Usage.
        versions: Versions of the packages that asked and computed.
        seed: Seed of the exam.
    """

    model: str
    cell: str = ""
    training_seed: int | None = None
    key: str = ""
    weights_digest: str
    adapter_digest: str = ""
    urls: tuple[str, ...] = ()
    served: dict[str, JsonValue] = Field(default_factory=dict)
    engine: str
    hardware: str = ""
    mode: Mode
    modes: tuple[Mode, ...] = ()
    possible: tuple[Mode, ...] = ()
    means: dict[str, str] = Field(default_factory=dict)
    proof: dict[str, float] = Field(default_factory=dict)
    exam_plan: str = ""
    exams: tuple[ExamCard, ...]
    conditions: tuple[str, ...]
    unalterable: dict[str, int] = Field(default_factory=dict)
    n: int = Field(ge=0)
    verdicts_digest: str = ""
    cost: Cost = Cost()
    versions: dict[str, str] = Field(default_factory=dict)
    seed: int = 0

    @property
    def computed_by(self) -> str:
        """Engine, precision and hardware in words: where they differ, so do answers in their last digits."""
        known = [f"{key} {value}" for key in ("arithmetic", "logits") if (value := self.means.get(key))]
        return ", ".join([self.engine, *known, *([self.hardware] if self.hardware else [])])
