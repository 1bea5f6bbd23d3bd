"""``cmb-open``: CMB-Exam as the study asked it, with a statement of each question's answer to read.

The statement is the stem without its blank, the text of the gold option (of all of them, joined) and a full stop.
Identical statements are one Passage: with a second copy among the distractors, evidence could not be removed.

Questions whose gold is empty or not among the options are left out and counted on the card; this covers the 29
questions whose gold was corrupted in the first release.

Items come in lots of one subject, and a lot is the cluster: a Book holds statements of one lot before all others, so
the items of a lot are read in the same Books, and knowledge of one subject is correlated. Clusters of single items
would make the intervals under ``open`` too narrow; whole subjects would leave too few clusters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from medctx.fetch.pinned import Remote, fetch
from medctx.schemas.exam_run import ExamCard
from medctx.schemas.records import ExamItem, Passage
from medctx_eval.exams.exam import Alteration, Exam, seal_exam
from medctx_eval.exams.published.cmb import ANSWERS, QUESTIONS, CmbQuestion, files_in, read_questions
from medctx_eval.exams.readers.published_files import obtain_exam

# A co-author's copy: questions and answers at one revision, as the published study used them.
REPO = "wangrongsheng/open-book-CMB-exam"
FOLDER = "CMB-test"
CARD = ExamCard(
    name="cmb-open",
    source="CMB-Exam, test split, with one statement per question",
    licence="Apache-2.0",
    citation=(
        "Wang et al., CMB: A Comprehensive Medical Benchmark in Chinese, NAACL 2024; statements in the manner of "
        "Yang et al., arXiv 2407.11536"
    ),
    language="zh",
    items=11171,
)
LOT = 21
"""Items of a lot; divisible by three and by seven depths, so that lots fill whole Books."""
RIVALS = 200

# Empty brackets, half-width or full-width, and underscores to write on.
_BLANK = r"(?:[\uff08(\[\u3010][\s_\uff3f.…]*[\uff09)\]\u3011]|[_\uff3f]{2,})"
_BLANK_AT_END = re.compile(_BLANK + r"\s*[。.\uff0e]?\s*$")
_BLANK_ANYWHERE = re.compile(_BLANK)
_STOPS = " 。.\uff0e;\uff1b"
_REFERS_TO_OPTIONS = re.compile(r"(?:以上|上述|[A-E][、和与及])")
"""Options that refer to other options: a statement made of one says nothing by itself."""


def statement(stem: str, answers: Sequence[str]) -> str:
    """The stem without its blanks, the answers joined, and a full stop."""
    bare = _BLANK_ANYWHERE.sub("", _BLANK_AT_END.sub("", stem.strip())).strip()
    return f"{bare}{'、'.join(answer.rstrip(_STOPS) for answer in answers)}。"


def _normalised(text: str) -> str:
    """The text without spaces, in lower case and half width, for comparison."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).lower()


def _subject(question: CmbQuestion) -> tuple[str, str, str]:
    return question.category, question.group, question.subject


class _Statements:
    """The statements by subject in an order drawn by ``seed``, and the questions on each."""

    def __init__(self, questions: Sequence[CmbQuestion], seed: int) -> None:
        self.passages: list[Passage] = []
        self.questions: dict[str, list[CmbQuestion]] = {}
        self.subjects: dict[tuple[str, str, str], list[str]] = {}
        known: dict[str, str] = {}
        for question in questions:
            text = statement(question.text, [question.options[letter] for letter in question.gold])
            name = known.get(_normalised(text))
            if name is None:
                name = known[_normalised(text)] = f"cmb-open/{question.id}/statement"
                self.passages.append(Passage(id=name, text=text))
                self.subjects.setdefault(_subject(question), []).append(name)
            self.questions.setdefault(name, []).append(question)
        for subject, names in self.subjects.items():
            Random(f"cmb-open-{seed}-{'/'.join(subject)}").shuffle(names)

    def _rivals(self, subject: tuple[str, str, str], begin: int) -> list[str]:
        """Statements of the subject, cyclically from a lot's first one, then those of its category's other subjects."""
        same_subject = self.subjects[subject]
        rivals = (same_subject[begin:] + same_subject[:begin])[: RIVALS + 1]
        for other, names in self.subjects.items():
            if len(rivals) > RIVALS:
                break
            if other != subject and other[0] == subject[0]:
                rivals += names[: RIVALS + 1 - len(rivals)]
        return rivals

    def lots(self) -> Iterator[tuple[list[str], list[str]]]:
        """Yield the statements and the rivals of each lot."""
        for subject, names in self.subjects.items():
            for begin in range(0, len(names), LOT):
                yield names[begin : begin + LOT], self._rivals(subject, begin)


def _item(question: CmbQuestion, evidence: str, rivals: Sequence[str], cluster: str) -> ExamItem:
    tags = {"category": question.category, "class": question.group, "subject": question.subject}
    return ExamItem(
        id=f"cmb-open/{question.id}",
        exam="cmb-open",
        question=question.text,
        options=question.options,
        gold=question.gold,
        evidence=(evidence,),
        rivals=tuple(name for name in rivals if name != evidence)[:RIVALS],
        cluster=cluster,
        multiple=question.multiple,
        language="zh",
        source=CARD.source,
        licence=CARD.licence,
        tags={key: value for key, value in tags.items() if value},
    )


def _other_gold(question: CmbQuestion, rng: Random) -> tuple[str, ...] | None:
    """Letters to state instead of the gold ones: one of them changed, or left out if all options are right."""
    right = {_normalised(question.options[letter]) for letter in question.gold}
    wrong = [
        letter
        for letter, text in question.options.items()
        if letter not in question.gold and _normalised(text) not in right and not _REFERS_TO_OPTIONS.match(text)
    ]
    changed = rng.choice(question.gold)
    if not wrong and len(question.gold) == 1:
        return None
    kept = [letter for letter in question.gold if letter != changed]
    return tuple(sorted([*kept, rng.choice(wrong)] if wrong else kept))


def _alterations(questions: Sequence[CmbQuestion], evidence: dict[str, str], seed: int) -> Iterator[Alteration]:
    for question in questions:
        gold = _other_gold(question, Random(f"cmb-open-altered-{seed}-{question.id}"))
        if gold is not None:
            text = statement(question.text, [question.options[letter] for letter in gold])
            replacement = Passage(id=evidence[question.id], text=text)
            yield Alteration(item=f"cmb-open/{question.id}", passages=(replacement,), gold=gold)


def build(path: Path | None, revision: str, seed: int) -> Exam:
    """Build the exam from the published files, or from ``path``: a folder with both files, or one file.

    Lots come in an order drawn by ``seed``, so that a limit is a fair sample.
    """
    file, resolved = obtain_exam(CARD.name, path, Remote(repo=REPO, file=f"{FOLDER}/{QUESTIONS}"), revision)
    answers: Path | None
    if path is None:
        # At the revision of the questions: a branch may move between two downloads.
        answers = fetch(Remote(repo=REPO, file=f"{FOLDER}/{ANSWERS}", revision=resolved)).path
    else:
        file, answers = files_in(file)
    kept, dropped = read_questions(file, answers)
    statements = _Statements(kept, seed)
    lots = list(enumerate(statements.lots()))
    Random(f"cmb-open-lots-{seed}").shuffle(lots)
    items = [
        _item(question, name, rivals, f"cmb-open/lot-{number}")
        for number, (names, rivals) in lots
        for name in names
        for question in statements.questions[name]
    ]
    evidence = {question.id: name for name, questions in statements.questions.items() for question in questions}
    card = CARD.model_copy(update={"revision": resolved, "dropped": dropped})
    return seal_exam(card, items, statements.passages, list(_alterations(kept, evidence, seed)))
