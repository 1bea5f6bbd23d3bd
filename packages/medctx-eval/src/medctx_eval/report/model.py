"""The Report: all results, computed once. ``report.json`` is its dump."""

from __future__ import annotations

from typing import get_args

from pydantic import ConfigDict, Field

from medctx.schemas.records import Mode, Verdict
from medctx.schemas.report import KNOWLEDGE, READING, Comparison, Family, ReportCore
from medctx.schemas.study_plan import PlanAxis
from medctx_eval.report.markdown_table import escape, table_lines
from medctx_eval.report.sections import (
    AboveFloor,
    Calibration,
    CellAttribution,
    CellBehaviour,
    CleanScore,
    Confirmation,
    GateCheck,
    LetterBias,
    LongestOption,
    NoiseFloor,
    OptionOrderScore,
    Published,
    TrainingCurve,
    WordChange,
)
from medctx_eval.stats.formatting import accuracy_with_interval, difference_with_interval, points

TEXT_MODES: tuple[Mode, ...] = ("text", "text-raw", "text-prior")


class Report(ReportCore):
    """A comparison of cells on the same items, with everything that is shown.

    ``run_folders`` are the folders of the runs relative to the report; ``configs`` the configs as YAML by name.
    """

    model_config = ConfigDict(extra="forbid")

    max_unreadable: float
    max_contaminated: float
    error_rate: float = 0.05
    draws: int
    seed: int
    option_orders: tuple[OptionOrderScore, ...] = ()
    letter_bias: tuple[LetterBias, ...] = ()
    above_floors: tuple[AboveFloor, ...] = ()
    longest_options: tuple[LongestOption, ...] = ()
    calibrations: tuple[Calibration, ...] = ()
    behaviours: tuple[CellBehaviour, ...] = ()
    attributions: tuple[CellAttribution, ...] = ()
    noise_floor: tuple[NoiseFloor, ...] = ()
    clean_scores: tuple[CleanScore, ...] = ()
    training_curves: tuple[TrainingCurve, ...] = ()
    gate_checks: tuple[GateCheck, ...] = ()
    confirmations: tuple[Confirmation, ...] = ()
    published: Published | None = None
    configs: dict[str, str] = Field(default_factory=dict)
    run_folders: tuple[str, ...] = ()

    @property
    def base_label(self) -> str:
        """What differences are against, in words: the name of the base, or ``its base`` if there are several."""
        return self.base if len(self.bases) == 1 else "its base"

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The headline mode first, then the other scored modes."""
        return tuple(dict.fromkeys([self.mode, *(score.mode for score in self.scores)]))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What limits every number of the report, one sentence each."""
        failed: dict[str, int] = {}
        for score in self.scores:
            if score.mode == self.mode and score.part in (KNOWLEDGE, READING):
                failed[score.cell] = failed.get(score.cell, 0) + score.verdicts[Verdict.FAILED]
        counts = ", ".join(f"{cell} {count:,}" for cell, count in failed.items() if count)
        sentences = []
        if counts:
            sentences.append(f"Answers that failed count as not correct: {counts}. Run the exam again to ask for them.")
        differing = dict.fromkeys(
            comparison.part for comparison in self.family("headline") if comparison.difference.seeds_differ
        )
        if differing:
            sentences.append(
                f"Training seeds vary more in some cells than in others on {' and '.join(differing)}, so no difference "
                "there is called a gain or a loss; more seeds per cell are needed."
            )
        if len(self.ways_of_computing) > 1:
            ways = "; ".join(f"{', '.join(names)} by {way}" for way, names in self.ways_of_computing.items())
            sentences.append(
                f"The models were computed in different ways ({ways}), which adds to every difference between them; no "
                "interval contains it."
            )
        sentences += self._cluster_warnings + self._floor_warnings + self._word_warnings
        return tuple(sentences)

    def above_floor(self, cell: str, part: str) -> AboveFloor | None:
        """A cell against the question-blind reader on a part."""
        return next((row for row in self.above_floors if (row.cell, row.part) == (cell, part)), None)

    @property
    def ways_of_computing(self) -> dict[str, tuple[str, ...]]:
        """Engine, precision and hardware in words, and the cells with runs computed by each."""
        ways: dict[str, dict[str, None]] = {}
        for cell in self.cells:
            for run in cell.runs:
                ways.setdefault(run.manifest.computed_by, {})[cell.name] = None
        return {way: tuple(names) for way, names in ways.items()}

    @property
    def word_changes(self) -> tuple[WordChange, ...]:
        """The words of every tuned cell by way of scoring the options' texts, where there are several."""
        modes = [mode for mode in TEXT_MODES if mode in self.modes]
        rows = []
        for cell in self.tuned:
            for axis in get_args(PlanAxis):
                gains = {mode: self.axis_gain(cell.name, axis, mode) for mode in modes}
                words = {mode: gain.outcome for mode, gain in gains.items() if gain}
                if len(words) > 1:
                    rows.append(WordChange(cell=cell.name, axis=axis, words=words))
        return tuple(rows)

    @property
    def _cluster_warnings(self) -> list[str]:
        single = {
            estimand.axis: [part.name for part in estimand.parts if part.clusters == 1] for estimand in self.estimands
        }
        return [
            f"All items of {' and of '.join(names)} lie in one cluster, so {axis} has no interval; ask items of "
            "several clusters, or leave this part out of report.weights."
            for axis, names in single.items()
            if names
        ]

    @property
    def _floor_warnings(self) -> list[str]:
        reading = {part.condition for estimand in self.estimands if estimand.axis == READING for part in estimand.parts}
        low = [
            f"{row.part} ({points(row.difference.value)} points)"
            for row in self.above_floors
            if row.cell == self.base and row.part in reading and row.outcome != "gains"
        ]
        if not low:
            return []
        return [
            f"{self.base} is not shown to read better than a reader without the question under {', '.join(low)}: what "
            "is lost there cannot be seen."
        ]

    @property
    def _word_warnings(self) -> list[str]:
        return [
            f"The word for {row.axis} of {row.cell} depends on how the options' texts are scored: "
            f"{', '.join(f'{word} in {mode}' for mode, word in row.words.items())}."
            for row in self.word_changes
            if row.changes
        ]

    def _repr_markdown_(self) -> str:
        """The headline and one row per cell, for notebooks."""
        rows = []
        for cell in self.cells:
            texts = [cell.name]
            for axis in (KNOWLEDGE, READING):
                score, gain = self.score(cell.name, axis), self.axis_gain(cell.name, axis)
                texts.append(accuracy_with_interval(score.accuracy if score else None))
                texts.append(
                    "base" if cell.base else difference_with_interval(gain.difference, gain.outcome) if gain else ""
                )
            rows.append(texts)
        header = ("cell", "knowledge %", "to base, points", "reading %", "to base, points")
        return "\n".join([escape(self.headline), "", *table_lines(header, rows)])

    def family(self, name: Family, mode: Mode | None = None) -> tuple[Comparison, ...]:
        """The comparisons of one family, by default in the headline mode."""
        mode = mode or self.mode
        return tuple(item for item in self.comparisons if item.family == name and item.mode == mode)

    def parts(self, family: Family) -> tuple[str, ...]:
        """The parts a family compares on, in display order."""
        return tuple(dict.fromkeys(item.part for item in self.family(family)))
