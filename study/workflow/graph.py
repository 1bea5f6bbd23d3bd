"""Tasks that wait for each other: whatever can run is run, and a failure stops only what needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from medctx.errors import MedctxError
from medctx.process.progress import say
from study.workflow.executors.protocol import Executor
from study.workflow.job import Ended, Job
from study.workflow.lineage import Lineage
from study.workflow.steps import Step


@dataclass(frozen=True, slots=True)
class Done:
    """A finished step and where its output lies."""

    step: Step
    folder: Path


Folders = Mapping[str, Done]


@dataclass(frozen=True, slots=True)
class Task:
    """A step that is known once those it ``needs`` are done, or what is done already where there is nothing to do.
    ``lenient``: it makes do with those of its needs that succeeded, and runs when all have ended.
    """

    name: str
    make: Callable[[Folders], Step | Done]
    needs: tuple[str, ...] = ()
    lenient: bool = False


@dataclass(slots=True)
class Results:
    """What came of every task, by name: done, or the reason why not; and what its command printed either way."""

    done: dict[str, Done] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)

    def ended(self, name: str) -> bool:
        """Whether a task has come to its end."""
        return name in self.done or name in self.failed


@dataclass(frozen=True, slots=True)
class Run:
    """What tasks are run with."""

    executor: Executor
    lineage: Lineage
    work: Path
    retries: int = 0


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


class _Carrying:
    """One way through the tasks of a study."""

    def __init__(self, tasks: Iterable[Task], run: Run) -> None:
        self._waiting = {task.name: task for task in tasks}
        self._total = len(self._waiting)
        self._run = run
        self._running: dict[Future[Ended], list[tuple[Task, Step]]] = {}
        self._lost: dict[str, str] = {}
        self.results = Results()

    def _say(self, name: str, word: str) -> None:
        ended = len(self.results.done) + len(self.results.failed)
        say(f"[{ended}/{self._total}] {name}: {word}")

    def _fail(self, name: str, reason: str) -> None:
        self.results.failed[name] = reason
        self._say(name, f"FAILED: {reason}")

    def _finish(self, task: Task, step: Step, ended: Ended) -> None:
        folder = step.folder(self._run.work)
        before = ended.before or not ended.attempts
        self.results.done[task.name] = Done(step, folder)
        self._say(task.name, f"done before ({folder})" if before else f"done in {_clock(ended.seconds)}")

    def _start(self, task: Task) -> None:
        try:
            step = task.make({name: self.results.done[name] for name in task.needs if name in self.results.done})
        except (MedctxError, OSError, KeyError, ValueError) as error:
            self._fail(task.name, str(error))
            return
        if isinstance(step, Done):
            self.results.done[task.name] = step
            return
        if step.done(self._run.work):
            self._finish(task, step, Ended(before=True))
            return
        if step.key in self._lost:
            # Another cell's step came to nothing, and this is the same one.
            self._fail(task.name, self._lost[step.key])
            return
        folder = step.folder(self._run.work)
        for future, same in self._running.items():
            # Cells that share a step, such as one mix trained by two methods, wait for it together.
            if same[0][1] == step:
                self._running[future].append((task, step))
                return
        job = Job(
            label=task.name,
            command=step.command,
            folder=folder,
            config=yaml.safe_dump(step.config, sort_keys=False, allow_unicode=True),
            manifest=step.manifest,
            environment=self._run.lineage.begin(step.kind, step.label, folder),
            logged=not self._run.executor.alone,
            retries=self._run.retries,
            memory=step.memory,
            heavy=step.heavy,
        )
        self._running[self._run.executor.submit(job)] = [(task, step)]

    def _start_ready(self) -> None:
        for task in list(self._waiting.values()):
            lost = [name for name in task.needs if name in self.results.failed]
            if lost and not task.lenient:
                del self._waiting[task.name]
                self._fail(task.name, f"needs {lost[0]}, which failed")
            elif all(map(self.results.ended, task.needs)):
                del self._waiting[task.name]
                self._start(task)

    def _collect(self) -> None:
        finished, _ = wait(self._running, return_when=FIRST_COMPLETED)
        for future in finished:
            same = self._running.pop(future)
            try:
                ended = future.result()
            except Exception as error:  # whatever happened to the worker is the failure of this step alone
                told = str(error).splitlines()[0] if str(error) else type(error).__name__
                ended = Ended(code=-1, reason=f"its worker was lost ({told}); the same command goes on with it")
            for task, step in same:
                self.results.outputs[task.name] = ended.output
                if ended.code == 0:
                    self._finish(task, step, ended)
                else:
                    self._lost[step.key] = ended.reason
                    self._run.lineage.failed(step.folder(self._run.work))
                    self._fail(task.name, ended.reason)

    def to_the_end(self) -> Results:
        """Start what is ready, wait for something to end, again and again."""
        try:
            while self._waiting or self._running:
                before = len(self._waiting)
                self._start_ready()
                if self._running:
                    self._collect()
                elif len(self._waiting) == before:
                    lost = next(iter(self._waiting.values()))
                    raise AssertionError(f"{lost.name} needs {lost.needs}, which no task makes")
        except BaseException:
            self._run.executor.stop()
            for same in self._running.values():
                self._run.lineage.interrupted(same[0][1].folder(self._run.work))
            raise
        return self.results


def carry_out(tasks: Iterable[Task], run: Run) -> Results:
    """Run tasks until each is done or failed; interrupted, everything that runs is stopped first."""
    return _Carrying(tasks, run).to_the_end()
