"""The manifest of an examined model, ``exam.json``: written by ``medctx-eval run``, read by reports and the study."""

from __future__ import annotations

from pydantic import Field

from medctx.schemas.records import Domain, Mode, Record

EXAM_FILE = "exam.json"


class ExamCard(Record):
    """Where an exam comes from and how it may be used. ``digest`` is of its items and Passages.

    ``revision`` is that of the published files it was built from ("" for generated exams and the user's own files);
    ``dropped`` counts the questions left out, by reason.
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


class Usage(Record):
    """What an engine counted.

    ``prompt_tokens`` sent, of which ``computed_tokens`` were not read from a cache; ``book_prefills``: times a Book
    was computed. None where a server does not report it.
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


class Cost(Usage):
    """The usage of one model over all sessions of its exam, and how many ``books`` the exam has."""

    books: int = 0


class ExamManifest(Record):
    """One examined model.

    ``mode`` is the scoring mode of the headline numbers, ``key`` the digest of model and exam plan: a run of the same
    key need not be done again. ``possible`` are the modes the engine was found to allow, ``means`` says how it reads or
    constrains answers. ``proof`` is how far the adapter moves the canary in the reference and as served, in nats.
    ``cell`` names what was trained and ``training_seed`` which repetition of it this is: runs of one cell differ in the
    seed alone. ``exam_plan`` is the sibling folder that holds the items and Books asked; ``unalterable`` by exam how
    many items were left out of ``counterfactual`` because their evidence cannot be altered with certainty.
    """

    model: str
    cell: str = ""
    training_seed: int | None = None
    key: str = ""
    weights_digest: str
    adapter_digest: str = ""
    engine: str
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
    cost: Cost = Cost()
    versions: dict[str, str] = Field(default_factory=dict)
    seed: int = 0
