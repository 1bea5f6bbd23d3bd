"""From cells to the tasks that make them: mix, train, repair, merge, and one exam for all cells of a base."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from pydantic import JsonValue

from medctx.errors import MedctxError
from study.config.cells import StudyCell
from study.config.study import StudyConfig
from study.forecast.exam_cost import exam_memory
from study.forecast.training_cost import training_memory_of
from study.stages import cell_steps as steps
from study.stages import repairs
from study.stages.bases import Base
from study.stages.exam_runs import ExamStep, exams_of
from study.stages.task_names import merge_task, mix_task, weights_task
from study.workflow.graph import DoneTasks, Task
from study.workflow.steps import Done, Step

Serving = Literal["hot", "merged"]


class _TaskBuilder:
    """Builds the tasks of one study; ``cells``: all of the study, ``examined``: those that are asked the exam."""

    def __init__(
        self,
        config: StudyConfig,
        cells: Sequence[StudyCell],
        examined: Sequence[StudyCell],
        bases: Mapping[str, Base],
        serving: Serving,
    ) -> None:
        self._config, self._cells, self._bases, self._serving = config, cells, bases, serving
        self._exams = exams_of(examined, bases)
        self._alone = len(self._exams) == 1
        self._examined = {cell.name for cell in examined}

    def _made(self) -> list[StudyCell]:
        """The examined cells and those they are repaired from, in the order of the study."""
        names = set(self._examined)
        for cell in self._cells:
            if cell.repair and cell.name in names:
                sources = repairs.repair_sources(self._config, cell, self._cells)
                names |= {source.name for source in sources.values()}
        return [cell for cell in self._cells if cell.name in names]

    def _mixed_and_trained(self, cell: StudyCell, base: Base) -> Iterator[Task]:
        yield Task(mix_task(cell), lambda done: steps.mix_step(self._config, cell, base))

        def train(done: DoneTasks) -> Step:
            step = steps.train_step(self._config, cell, base, done[mix_task(cell)])
            return replace(step, memory=training_memory_of(self._config, cell))

        yield Task(weights_task(cell), train, (mix_task(cell),))

    def _repaired(self, cell: StudyCell, base: Base) -> Iterator[Task]:
        named = repairs.repair_sources(self._config, cell, self._cells)

        def repair(done: DoneTasks) -> Step:
            weights = {name: steps.weights_of(done[weights_task(source)]) for name, source in named.items()}
            return repairs.repair_step(self._config, cell, base, weights)

        yield Task(weights_task(cell), repair, tuple(map(weights_task, named.values())))

    def _retuned(self, cell: StudyCell, base: Base) -> Iterator[Task]:
        source = repairs.repair_sources(self._config, cell, self._cells)["cell"]
        merge = f"merge {source.name} for {cell.repair}"
        further = repairs.retuning(self._config, cell)

        def train(done: DoneTasks) -> Step:
            merged = base.model_copy(
                update={
                    "id": str(steps.weights_of(done[merge]).folder.resolve()),
                    "weights_digest": f"{base.weights_digest}+{steps.weights_of(done[weights_task(source)]).digest}",
                }
            )
            step = steps.train_step(self._config, further, merged, done[mix_task(cell)])
            step = steps.with_settings(step, repairs.retuning_settings(self._config, cell))
            return replace(step, memory=training_memory_of(self._config, cell))

        yield Task(mix_task(cell), lambda done: steps.mix_step(self._config, further, base))
        yield self._merge(merge, source, base)
        yield Task(weights_task(cell), train, (mix_task(cell), merge, weights_task(source)))

    def _merge(self, name: str, cell: StudyCell, base: Base) -> Task:
        def merge(done: DoneTasks) -> Step | Done:
            made = done[weights_task(cell)]
            weights = steps.weights_of(made)
            # A whole model needs no merging.
            if weights.kind == "model":
                return made
            return steps.merge_step(cell, base, weights)

        return Task(name, merge, (weights_task(cell),))

    def _merge_external(self, cell: StudyCell, base: Base, weights: steps.Weights) -> Task:
        return Task(merge_task(cell), lambda done: steps.merge_step(cell, base, weights))

    def _exam(self, exam: ExamStep) -> Task:
        trained = [cell for cell in exam.cells if cell.trained]
        by_label = {base.label: base for base in exam.bases}
        with_adapter = [cell for cell in exam.cells if cell.trained or by_label[cell.base].adapter]
        merged = [merge_task(cell) for cell in with_adapter] if self._serving == "merged" else []

        def model(cell: StudyCell, done: DoneTasks) -> dict[str, JsonValue] | None:
            base = by_label[cell.base]
            weights = steps.external_weights(base)
            if not cell.trained and weights is None:
                return steps.exam_model(cell, base, None, None)
            if weights is None:
                if weights_task(cell) not in done:
                    return None
                weights = steps.weights_of(done[weights_task(cell)])
            if self._serving == "hot":
                return steps.exam_model(cell, base, weights, None)
            if merge_task(cell) not in done:
                return None
            merged = steps.weights_of(done[merge_task(cell)])
            return steps.exam_model(cell, base, weights, merged.folder)

        def examine(done: DoneTasks) -> Step:
            if self._alone and trained and not any(weights_task(cell) in done for cell in trained):
                raise MedctxError("No cell was trained, so there is nothing to compare with the base.")
            models = [
                entry
                for cell in exam.cells
                if (examined := model(cell, done)) is not None
                for entry in (
                    examined,
                    *([steps.repeated(examined)] if self._repeated(cell, by_label[cell.base]) else []),
                )
            ]
            step = steps.exam_step(self._config, exam.bases, models)
            return replace(step, memory=exam_memory(self._config, exam.bases[0].label))

        return Task(exam.name, examine, (*map(weights_task, trained), *merged), lenient=True)

    def _repeated(self, cell: StudyCell, base: Base) -> bool:
        return self._config.repeat_base_exam and not cell.compared and base.folder is not None

    def tasks(self) -> Iterator[Task]:
        """Yield the tasks that come before the exams, cell by cell, and then the exams."""
        for cell in self._made():
            base = self._bases.get(cell.base)
            if base is None:
                continue
            weights = steps.external_weights(base)
            if weights is not None and self._serving == "merged":
                yield self._merge_external(cell, base, weights)
            if not cell.trained:
                continue
            if repairs.is_retuned(self._config, cell):
                yield from self._retuned(cell, base)
            elif cell.repair:
                yield from self._repaired(cell, base)
            else:
                yield from self._mixed_and_trained(cell, base)
            if self._serving == "merged" and cell.name in self._examined:
                yield self._merge(merge_task(cell), cell, base)
        for exam in self._exams:
            yield self._exam(exam)


def tasks_of(
    config: StudyConfig,
    cells: Sequence[StudyCell],
    bases: Mapping[str, Base],
    serving: Serving,
    examined: Sequence[StudyCell] | None = None,
) -> list[Task]:
    """Every task of a study. Tasks of the same name (a merge two repairs start from) are one.

    Args:
        config: The study.
        cells: All its cells.
        bases: Its bases by label.
        serving: How adapters are served.
        examined: The cells that are examined; None: all.
    """
    builder = _TaskBuilder(config, cells, cells if examined is None else examined, bases, serving)
    return list({task.name: task for task in builder.tasks()}.values())
