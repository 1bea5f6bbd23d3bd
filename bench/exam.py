"""Time of a long-context exam: medctx compared with lm-evaluation-harness, inspect_ai and a plain client.

    make bench-exam                              the short run
    make bench-exam SIZE=whole                   20 Books x 20 questions of 1k, 2k, 4k and 7k tokens, for a night
    make bench-exam ARGS="--lengths 1024 --books 4 --questions 5 --repeats 2"

One model, the same questions, one machine; the arms take turns. By the likelihood of option texts:

- medctx-transformers, medctx-vllm: `medctx-eval run` with that engine.
- lm-eval-hf, lm-eval-vllm: lm-evaluation-harness with that backend, in an environment of its own.

By letters, on one vLLM server with prefix caching, whose cache is emptied before each measurement:

- medctx-server: `medctx-eval run` with engine=endpoint. inspect: inspect_ai, with as many connections.
- plain-client: one chat request after the other, in the order of the file.

`seconds` is the exam without the start of engine or process. For medctx-server the start includes the canary that
identifies the served model (7 requests, `canary_seconds`), which no other harness asks. `requests` of medctx-server are
one a question and one a Book, which puts the Book into the cache. A ratio is refused where the
log-probabilities of the options differ by more than rounding. lm-evaluation-harness computes every prompt once per
option, so its time is that of its requests added up, whatever the number of Books: `--peer-books` of them are enough.
With `--lm-eval-questions` it is asked some of the questions on each Book, and its seconds are those times
questions / asked; the column `asked` says so.

adapters-together, adapters-singly: eight adapters in one run, and in eight runs of one each.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from urllib.request import Request, urlopen

from bench.exam_questions import make_questions, write_first_questions, write_for_peers
from bench.harness import figure, options, results
from bench.harness.machine import machine
from bench.harness.measure import Measurements, Numbers, Setting, turns
from bench.harness.peers import ROOT, peer_python
from bench.harness.processes import last_record, run
from medctx.io.journal import read_journal
from medctx.io.jsonl import read_record, read_rows
from medctx.model.base import prepare_base
from medctx.process.cpu import has_no_accelerator
from medctx.schemas.exam_run import EXAM_FILE, ExamManifest, Usage, total_usage
from medctx_eval.run.usage_log import FILE as USAGE

LIKELIHOOD = ("medctx-transformers", "medctx-vllm", "lm-eval-hf", "lm-eval-vllm")
LETTERS = ("medctx-server", "inspect", "plain-client")
ADAPTERS = ("adapters-together", "adapters-singly")
MEDCTX = tuple(arm for arm in (*LIKELIHOOD, *LETTERS) if arm.startswith("medctx"))
SIZES: dict[str, dict[str, object]] = {
    "short": {
        "lengths": [512],
        "books": 2,
        "peer_books": 2,
        "questions": 5,
        "repeats": 2,
        "arms": ["medctx-transformers", "lm-eval-hf"],
        "adapters": 8,
    },
    "whole": {
        "lengths": [1024, 2048, 4096, 7168],
        "books": 20,
        "peer_books": 2,
        "questions": 20,
        "repeats": 5,
        "arms": [*LIKELIHOOD, *LETTERS, *ADAPTERS],
        "adapters": 8,
    },
}
MARGIN = 512
"""Positions beyond the Book, for the question and the template."""
CONNECTIONS = 8
KV_CACHE_GIB = "4"

Answers = dict[str, dict[str, float]]


class Exam:
    """One model, its questions at each setting, and a server that is started when an arm needs it."""

    def __init__(self, model: Path, work: Path, longest: int, stack: ExitStack) -> None:
        self._model, self._work, self._stack, self._longest = model, work, stack, longest
        self._url = ""

    def files(self, setting: Setting) -> tuple[Path, Path]:
        """The questions of a setting, for medctx and for others."""
        folder = self._work / "questions"
        name = "-".join(str(setting[key]) for key in ("length", "books", "questions"))
        own, others = folder / f"{name}.jsonl", folder / f"{name}-peers.jsonl"
        if not others.is_file():
            length, books, questions = (int(setting[key]) for key in ("length", "books", "questions"))
            make_questions(own, str(self._model), length=length, books=books, questions=questions)
            write_for_peers(others, own, str(self._model))
        return own, others

    def server(self) -> str:
        """Address of the server, with an empty prefix cache."""
        if not self._url:
            from medctx_eval.engines.vllm import VllmConfig, VllmServer

            os.environ["VLLM_SERVER_DEV_MODE"] = "1"  # opens /reset_prefix_cache
            config = VllmConfig(max_model_len=self._longest)
            self._url = self._stack.enter_context(
                VllmServer(self._model, self._work / "server.log", config, lora=False)
            ).url
        with urlopen(Request(f"{self._url}/reset_prefix_cache", method="POST")):
            return self._url

    def _peer(self, command: list[str | Path], name: str) -> tuple[Numbers, Answers]:
        environment = {"HF_HUB_OFFLINE": "1", "PYTHONPATH": ""}
        if has_no_accelerator():
            # By default vLLM leaves one core idle and takes nine tenths of the memory; medctx sets both.
            environment["VLLM_CPU_KVCACHE_SPACE"] = KV_CACHE_GIB
            environment["VLLM_CPU_OMP_THREADS_BIND"] = ",".join(map(str, sorted(os.sched_getaffinity(0))))
        finished = run(command, self._work / "logs" / f"{name}.log", environment)
        record = last_record(finished.output)
        numbers: Numbers = dict(record["numbers"])  # type: ignore[call-overload]
        numbers |= {"process_seconds": finished.seconds, "cpu_seconds": finished.processor}
        return numbers | {"peak_gib": finished.peak / 2**30}, record["answers"]  # type: ignore[return-value]

    def medctx(self, arm: str, questions: Path, adapters: tuple[Path, ...] = ()) -> tuple[Numbers, Answers]:
        """An exam by `medctx-eval run`; its seconds are those of its engine's own count."""
        out = self._work / "runs" / arm
        shutil.rmtree(out, ignore_errors=True)
        engine = {"medctx-vllm": "vllm", "medctx-server": "endpoint"}.get(arm, "transformers")
        mode = "letter" if arm in LETTERS else "text"
        models = ", ".join(
            f"{{name: {adapter.parent.name}, folder: {self._model}, adapter: {adapter}}}" for adapter in adapters
        )
        keys = [f"engine={engine}", f"mode={mode}", f"exams=[{{exam: file, items: {questions}, conditions: [gold]}}]"]
        if engine == "endpoint":
            keys += [f"urls=['{self.server()}']", "models=[{name: base}]", f"tokenizer={self._model}"]
            keys += [f"concurrency={CONNECTIONS}"]
        else:
            keys += [f"models=[{models or f'{{name: base, folder: {self._model}}}'}]"]
            keys += [f"vllm.max_model_len={self._longest}"] if engine == "vllm" else []
        command = [
            sys.executable,
            "-m",
            "medctx_eval.cli.main",
            "run",
            *(part for key in keys for part in ("--set", key)),
        ]
        finished = run(
            [*command, "--out", out],
            self._work / "logs" / f"{arm}.log",
            {"MEDCTX_TRACKING": "off", "HF_HUB_OFFLINE": "1"},
        )
        folders = sorted(file.parent for file in out.glob(f"*/{EXAM_FILE}"))
        costs: list[Usage] = [read_record(folder / EXAM_FILE, ExamManifest).cost for folder in folders]
        if engine == "endpoint":
            # The first line is that of the canary, which identifies the served model: part of the start, as no other
            # harness asks one.
            wholes, costs = costs, [total_usage(list(read_journal(folder / USAGE, Usage))[1:]) for folder in folders]
        seconds = sum(cost.seconds for cost in costs)
        numbers: Numbers = {
            "seconds": seconds,
            "start_seconds": finished.seconds - seconds,
            "requests": sum(cost.requests for cost in costs),
            "process_seconds": finished.seconds,
            "cpu_seconds": finished.processor,
            "peak_gib": finished.peak / 2**30,
        }
        if engine == "endpoint":
            numbers["canary_requests"] = sum(cost.requests for cost in wholes) - sum(cost.requests for cost in costs)
            numbers["canary_seconds"] = sum(cost.seconds for cost in wholes) - seconds
        if all(cost.computed_tokens is not None for cost in costs):
            numbers["computed_tokens"] = sum(cost.computed_tokens or 0 for cost in costs)
        answers: Answers = {}
        for _, row in read_rows(folders[0] / "replies.jsonl"):
            scores = row["scores"]
            assert isinstance(scores, list)
            answers[str(row["item"])] = {score["letters"][0]: score["logprob"] for score in scores}
        return numbers, answers

    def measure(self, arm: str, setting: Setting, adapters: tuple[Path, ...]) -> tuple[Numbers, Answers]:
        """Measure one arm once."""
        own, others = self.files(setting)
        here = ROOT / "bench" / "peers"
        if arm.startswith("lm-eval"):
            python = peer_python("lm-eval")
            backend = arm.removeprefix("lm-eval-")
            asked, share = write_first_questions(others, int(setting.get("asked", setting["questions"])))
            command: list[str | Path] = [python, here / "lm_eval_exam.py", backend, self._model, asked]
            numbers, answers = self._peer([*command, str(self._longest)], arm)
            return numbers | {"seconds": numbers["seconds"] / share, "measured_seconds": numbers["seconds"]}, answers
        if arm == "inspect":
            python = peer_python("inspect")
            script: list[str | Path] = [python, here / "inspect_exam.py", self.server(), "base", others]
            return self._peer([*script, self._work / "logs" / "inspect", str(CONNECTIONS)], arm)
        if arm == "plain-client":
            return self._peer([sys.executable, here / "plain_client.py", self.server(), "base", others], arm)
        if arm == "adapters-together":
            numbers, _ = self.medctx(arm, own, adapters)
            return numbers, {}
        if arm == "adapters-singly":
            several = [self.medctx(arm, own, (adapter,))[0] for adapter in adapters]
            names = set.intersection(*(set(numbers) for numbers in several))
            return {name: sum(numbers[name] for numbers in several) for name in sorted(names)}, {}
        return self.medctx(arm, own)


def made_adapters(model: Path, work: Path, count: int) -> tuple[Path, ...]:
    """Random adapters on the model, made once."""
    folders = [work / "adapters" / f"adapter-{number}" for number in range(count)]
    for number, folder in enumerate(folders):
        if not (folder / "sft.json").is_file():
            from tests.support.made_adapters import make

            make(model, folder, number, r=16, lora_alpha=32)
    return tuple(folder / "adapter" for folder in folders)


def settings(args: argparse.Namespace, model: str) -> list[tuple[Setting, list[str]]]:
    """What is measured at which sizes: all arms on the Books of the peers, those of medctx on all Books too."""
    planned: list[tuple[Setting, list[str]]] = []
    for length in args.lengths:
        shared: Setting = {"length": length, "books": args.peer_books, "questions": args.questions, "model": model}
        if args.lm_eval_questions and args.lm_eval_questions != args.questions:
            shared["asked"] = args.lm_eval_questions
        planned.append((shared, [arm for arm in args.arms if arm not in ADAPTERS]))
        if args.books != args.peer_books:
            alone = {name: value for name, value in shared.items() if name != "asked"} | {"books": args.books}
            planned.append((alone, [arm for arm in args.arms if arm in MEDCTX]))
    smallest: Setting = {
        "length": args.lengths[0],
        "books": args.peer_books,
        "questions": args.questions,
        "model": model,
        "adapters": args.adapters,
    }
    planned.append((smallest, [arm for arm in args.arms if arm in ADAPTERS]))
    return [(setting, arms) for setting, arms in planned if arms]


def _series(rows: list[results.Row], books: int) -> Mapping[str, figure.Points]:
    series: dict[str, list[tuple[float, float, float, float]]] = {}
    for row in rows:
        if "adapters" not in row and row["books"] == books:
            points = series.setdefault(str(row["arm"]), [])
            points.append(tuple(float(str(row[name])) for name in ("length", "median", "least", "most")))  # type: ignore[arg-type]
    return series


def main() -> None:
    parser = options.parser(__doc__, "exam")
    parser.add_argument("--model", default="smollm2-135m-instruct", help="Folder, hub ID or embedded model.")
    parser.add_argument("--lengths", type=int, nargs="+", help="Tokens of a Book.")
    parser.add_argument("--books", type=int, help="Books that medctx alone is measured on.")
    parser.add_argument("--peer-books", type=int, help="Books that all arms are measured on [--books].")
    parser.add_argument("--questions", type=int, help="Questions on each Book.")
    parser.add_argument("--lm-eval-questions", type=int, help="Questions on each Book for lm-eval [--questions].")
    parser.add_argument("--adapters", type=int, help="Adapters of the arms adapters-together and -singly.")
    sizes = {name: dict(values) for name, values in SIZES.items()}
    typed = [argument for argument in sys.argv if argument.startswith("--books")]
    if typed and "--peer-books" not in sys.argv:
        for values in sizes.values():
            values["peer_books"] = None
    args = options.parse(parser, sizes)
    args.peer_books = args.peer_books or args.books
    model, card = prepare_base(args.model)
    measurements = Measurements(args.work / "measurements.jsonl", idle=args.idle)
    with ExitStack() as stack:
        exam = Exam(model.resolve(), args.work, max(args.lengths) + MARGIN, stack)
        adapters = made_adapters(model, args.work, args.adapters) if set(args.arms) & set(ADAPTERS) else ()
        for setting, arms in settings(args, card.name):
            for repeat, arm in turns(arms, args.repeats):
                measurements.take(
                    arm, setting, repeat, lambda arm=arm, setting=setting: exam.measure(arm, setting, adapters)
                )
    # An arm is divided by those that ask in the same way.
    rows = {
        kind: [row for row in results.rows_of(measurements, "seconds", baselines) if row["arm"] in arms]
        for kind, arms, baselines in (
            ("By the likelihood of option texts", LIKELIHOOD, ("medctx-transformers", "medctx-vllm")),
            ("By letters, on one server", LETTERS, ("medctx-server",)),
            ("Several adapters in one run", ADAPTERS, ("adapters-singly",)),
        )
    }
    sections = [
        (
            heading,
            "Seconds without starts; the ratio is of each repetition's pair, median with the least and the largest.\n\n"
            + results.table(group, "seconds"),
        )
        for heading, group in rows.items()
        if group
    ]
    every = [row for group in rows.values() for row in group]
    title = f"Exams of {card.name} through medctx and through other harnesses"
    results.write(args.results, "exam", title, sections, {"rows": every}, machine(ROOT), measurements)
    if series := _series(every, args.peer_books):
        figure.lines(args.results / "exam.png", series, "tokens of a Book", "seconds", title)
    print("\n\n".join(text for _, text in sections))


if __name__ == "__main__":
    main()
