"""Tasks that depend on each other: whatever can run is run, and a failure stops only what needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from medctx.config.cli import TRUST_VARIABLE, is_trusted
from medctx.errors import MedctxError
from medctx.process.progress import say
from medctx.schemas.result import CommandResult
from study.workflow.job import Executor, Job, JobEnd, last_progress
from study.workflow.lineage import Lineage
from study.workflow.steps import Done, Step, require_unchanged

DoneTasks = Mapping[str, Done]
PROGRESS_S = 20.0
"""Seconds after which the progress of jobs that write to files is shown again."""


@dataclass(frozen=True, slots=True)
class Task:
    """A step that can be made once the tasks it ``needs`` are done, or a Done where nothing is to do.

    ``lenient``: it runs when all tasks it needs have ended, with those that succeeded.
    """

    name: str
    make: Callable[[DoneTasks], Step | Done]
    needs: tuple[str, ...] = ()
    lenient: bool = False


@dataclass(slots=True)
class Results:
    """The outcome of every task by name: done or the reason why not; what its command reported, and in which folder."""

    done: dict[str, Done] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    reported: dict[str, CommandResult] = field(default_factory=dict)
    folders: dict[str, Path] = field(default_factory=dict)

    def ended(self, name: str) -> bool:
        """Whether a task has ended."""
        return name in self.done or name in self.failed


@dataclass(frozen=True, slots=True)
class Setting:
    """What tasks are run with."""

    executor: Executor
    lineage: Lineage
    work: Path
    retries: int = 0


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


class _Scheduler:
    """Runs the tasks of a study in the order their needs allow."""

    def __init__(self, tasks: Iterable[Task], setting: Setting) -> None:
        self._waiting = {task.name: task for task in tasks}
        self._total = len(self._waiting)
        self._setting = setting
        self._running: dict[Future[JobEnd], list[tuple[Task, Step]]] = {}
        self._lost: dict[str, str] = {}
        self._shown: dict[str, str] = {}
        self.results = Results()

    def _say(self, name: str, word: str) -> None:
        count = len(self.results.done) + len(self.results.failed)
        say(f"[{count}/{self._total}] {name}: {word}")

    def _fail(self, name: str, reason: str) -> None:
        self.results.failed[name] = reason
        self._say(name, f"FAILED: {reason}")

    def _finish(self, task: Task, step: Step, end: JobEnd) -> None:
        folder = step.folder(self._setting.work)
        self.results.done[task.name] = Done(step, folder, end.result or CommandResult())
        self._say(task.name, f"done before ({folder})" if end.before else f"done in {_clock(end.seconds)}")

    def _start(self, task: Task) -> None:
        try:
            step = task.make({name: self.results.done[name] for name in task.needs if name in self.results.done})
        except (MedctxError, OSError, KeyError, ValueError) as error:
            self._fail(task.name, str(error))
            return
        if isinstance(step, Done):
            self.results.done[task.name] = step
            return
        try:
            finished = step.finished(self._setting.work)
            if finished is not None:
                require_unchanged(step.folder(self._setting.work), finished)
        except MedctxError as error:
            self._fail(task.name, str(error))
            return
        if finished is not None:
            self._finish(task, step, JobEnd(before=True, result=finished))
            return
        if step.key in self._lost:
            # Another cell's step failed, and this is the same one.
            self._fail(task.name, self._lost[step.key])
            return
        folder = step.folder(self._setting.work)
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
            reused=step.reused,
            child=self._setting.lineage.child(step.kind, step.label, folder),
            environment={TRUST_VARIABLE: "1"} if is_trusted() else {},
            logged=not self._setting.executor.alone,
            retries=self._setting.retries,
            memory=step.memory,
            heavy=step.heavy,
        )
        self._running[self._setting.executor.submit(job)] = [(task, step)]

    def _start_ready(self) -> None:
        for task in list(self._waiting.values()):
            lost = [name for name in task.needs if name in self.results.failed]
            if lost and not task.lenient:
                del self._waiting[task.name]
                self._fail(task.name, f"needs {lost[0]}, which failed")
            elif all(map(self.results.ended, task.needs)):
                del self._waiting[task.name]
                self._start(task)

    def _say_progress(self) -> None:
        """Show how far the jobs are that write to files."""
        for same in self._running.values():
            task, step = same[0]
            line = last_progress(step.folder(self._setting.work))
            if line and self._shown.get(task.name) != line:
                self._shown[task.name] = line
                say(line)

    def _ended(self) -> set[Future[JobEnd]]:
        """Wait until at least one job has ended."""
        ended: set[Future[JobEnd]] = set()
        while not ended:
            ended = wait(self._running, timeout=PROGRESS_S, return_when=FIRST_COMPLETED).done
            if not ended and not self._setting.executor.alone:
                self._say_progress()
        return ended

    def _collect(self) -> None:
        for future in self._ended():
            same = self._running.pop(future)
            try:
                end = future.result()
            except Exception as error:  # whatever happened to the worker is the failure of this step alone
                message = str(error).splitlines()[0] if str(error) else type(error).__name__
                end = JobEnd(code=-1, reason=f"its worker was lost ({message}); the same command resumes it")
            for task, step in same:
                if end.result is not None:
                    self.results.reported[task.name] = end.result
                    self.results.folders[task.name] = step.folder(self._setting.work)
                if end.code == 0:
                    self._finish(task, step, end)
                else:
                    self._lost[step.key] = end.reason
                    self._fail(task.name, end.reason)

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
            self._setting.executor.stop()
            for same in self._running.values():
                self._setting.lineage.interrupted(same[0][1].folder(self._setting.work))
            raise
        return self.results


def run_tasks(tasks: Iterable[Task], setting: Setting) -> Results:
    """Run tasks until each is done or failed. When interrupted, everything that runs is stopped first."""
    return _Scheduler(tasks, setting).to_the_end()
