"""From cells to the tasks that make them: mix, train, repair, merge, and one exam for all cells of a base."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from medctx.errors import MedctxError
from study.config.cells import Cell
from study.config.study import StudyConfig
from study.forecast.cost import memory_of
from study.forecast.exam_cost import exam_memory
from study.stages import cell_steps as plan
from study.stages import repairs
from study.stages.bases import Base, groups
from study.workflow.graph import Done, Folders, Task
from study.workflow.manifests import Weights
from study.workflow.steps import Step

Serving = Literal["hot", "merged"]


def mix_of(cell: Cell) -> str:
    """The task that mixes a cell's data."""
    return f"mix {cell.name}"


def weights_of(cell: Cell) -> str:
    """The task whose output is the cell's weights."""
    return f"{'repair' if cell.repair else 'train'} {cell.name}"


def merge_of(cell: Cell) -> str:
    """The task that merges a cell's adapter."""
    return f"merge {cell.name}"


@dataclass(frozen=True, slots=True)
class Exam:
    """One exam: the bases that share an engine, and their cells."""

    name: str
    bases: tuple[Base, ...]
    cells: tuple[Cell, ...]


def exams_of(cells: Sequence[Cell], bases: Mapping[str, Base]) -> list[Exam]:
    """One exam for all cells of the same base weights; cells of bases that are not at hand are in none."""
    together = groups(bases.values())
    found = []
    for own in together:
        labels = [base.label for base in own]
        name = "exam" if len(together) == 1 else f"exam {', '.join(labels)}"
        found.append(Exam(name, tuple(own), tuple(cell for cell in cells if cell.base in labels)))
    return found


class _Maker:
    """Makes the tasks of one study."""

    def __init__(self, config: StudyConfig, cells: Sequence[Cell], bases: Mapping[str, Base], serving: Serving) -> None:
        self._config, self._cells, self._bases, self._serving = config, cells, bases, serving
        self._alone = len(exams_of(cells, bases)) == 1

    def _mixed_and_trained(self, cell: Cell, base: Base) -> Iterator[Task]:
        yield Task(mix_of(cell), lambda done: plan.mix_step(self._config, cell, base))

        def train(done: Folders) -> Step:
            step = plan.train_step(self._config, cell, base, done[mix_of(cell)].folder)
            return replace(step, memory=memory_of(self._config, cell))

        yield Task(weights_of(cell), train, (mix_of(cell),))

    def _repaired(self, cell: Cell, base: Base) -> Iterator[Task]:
        named = repairs.sources(self._config, cell, self._cells)

        def repair(done: Folders) -> Step:
            weights = {name: plan.weights_of(done[weights_of(one)]) for name, one in named.items()}
            return repairs.repair_step(self._config, cell, base, weights)

        yield Task(weights_of(cell), repair, tuple(weights_of(one) for one in named.values()))

    def _retuned(self, cell: Cell, base: Base) -> Iterator[Task]:
        own = repairs.sources(self._config, cell, self._cells)["cell"]
        started = f"merge {own.name} for {cell.repair}"
        onward = repairs.retuning(self._config, cell)

        def train(done: Folders) -> Step:
            merged = base.model_copy(
                update={
                    "id": str(done[started].folder.resolve()),
                    "weights_digest": f"{base.weights_digest}+{plan.weights_of(done[weights_of(own)]).digest}",
                }
            )
            step = plan.train_step(self._config, onward, merged, done[mix_of(cell)].folder)
            step = plan.onward(step, repairs.retuning_settings(self._config, cell))
            return replace(step, memory=memory_of(self._config, cell))

        yield Task(mix_of(cell), lambda done: plan.mix_step(self._config, onward, base))
        yield self._merge(started, own, base)
        yield Task(weights_of(cell), train, (mix_of(cell), started, weights_of(own)))

    def _merge(self, name: str, cell: Cell, base: Base) -> Task:
        def merge(done: Folders) -> Step | Done:
            made = done[weights_of(cell)]
            weights = plan.weights_of(made)
            # Weights of their own need no merging: they are what is served.
            if weights.kind == "model":
                return Done(made.step, weights.folder)
            return plan.merge_step(cell, base, weights)

        return Task(name, merge, (weights_of(cell),))

    def _exam(self, exam: Exam) -> Task:
        trained = [cell for cell in exam.cells if cell.trained]
        merged = [merge_of(cell) for cell in trained] if self._serving == "merged" else []
        by_label = {base.label: base for base in exam.bases}

        def model(cell: Cell, done: Folders) -> dict[str, JsonValue] | None:
            base = by_label[cell.base]
            if not cell.trained:
                return plan.examined(cell, base, None, None)
            if weights_of(cell) not in done:
                return None
            weights: Weights = plan.weights_of(done[weights_of(cell)])
            if self._serving == "hot":
                return plan.examined(cell, base, weights, None)
            folder: Path | None = done[merge_of(cell)].folder if merge_of(cell) in done else None
            return None if folder is None else plan.examined(cell, base, weights, folder)

        def examine(done: Folders) -> Step:
            if self._alone and trained and not any(weights_of(cell) in done for cell in trained):
                raise MedctxError("No cell was trained, so there is nothing to compare with the base.")
            models = [
                one
                for cell in exam.cells
                if (found := model(cell, done)) is not None
                for one in ([found, plan.again(found)] if self._twice(cell, by_label[cell.base]) else [found])
            ]
            step = plan.exam_step(self._config, exam.bases, models)
            return replace(step, memory=exam_memory(self._config, exam.bases[0].label))

        return Task(exam.name, examine, (*map(weights_of, trained), *merged), lenient=True)

    def _twice(self, cell: Cell, base: Base) -> bool:
        return self._config.twice and not cell.trained and base.folder is not None

    def tasks(self) -> Iterator[Task]:
        """In the order of the cells, each as far as its exam; then the exams."""
        for cell in self._cells:
            base = self._bases.get(cell.base)
            if base is None or not cell.trained:
                continue
            if repairs.is_retuned(self._config, cell):
                yield from self._retuned(cell, base)
            elif cell.repair:
                yield from self._repaired(cell, base)
            else:
                yield from self._mixed_and_trained(cell, base)
            if self._serving == "merged":
                yield self._merge(merge_of(cell), cell, base)
        for exam in exams_of(self._cells, self._bases):
            yield self._exam(exam)


def tasks_of(config: StudyConfig, cells: Sequence[Cell], bases: Mapping[str, Base], serving: Serving) -> list[Task]:
    """Every task of a study. Tasks of the same name (a merge two repairs start from) are one."""
    return list({task.name: task for task in _Maker(config, cells, bases, serving).tasks()}.values())
