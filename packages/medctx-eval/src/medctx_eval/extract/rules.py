"""The order in which the rules are applied, and what each of them leads to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal, Self

from pydantic import model_validator

from medctx.schemas.records import Record
from medctx_eval.extract.languages import wording_for
from medctx_eval.extract.lines import leading_letter, line_statements, without_echo
from medctx_eval.extract.markup import PlainText, first_turn, head_and_tail, to_plain
from medctx_eval.extract.options import OfferedOptions
from medctx_eval.extract.reader import AnswerReader, Mention
from medctx_eval.extract.statements import find_statements
from medctx_eval.extract.thoughts import outside_thoughts
from medctx_eval.extract.unstated import refuses, refusing_option, repeated_option

Rule = Literal[
    "stated",
    "leading letter",
    "asserted",
    "option text",
    "refusal",
    "several",
    "conflict",
    "not offered",
    "retracted",
    "echo",
    "unfinished reasoning",
    "empty",
    "nothing stated",
]
"""Which rule decided.

Answered: the answer is ``stated`` ("The answer is B"), a ``leading letter`` opens the text, an option is ``asserted``
("B is correct"), or an ``option text`` is repeated. Abstained: a ``refusal``. Unparsable: ``several`` options where one
is allowed, or a choice between them; a letter in ``conflict`` with the text beside it; a letter ``not offered``; an
answer ``retracted`` and not replaced; an ``echo`` of the options; ``unfinished reasoning``; ``empty``;
``nothing stated``.
"""

_NO_STATEMENT: tuple[Rule, ...] = ("empty", "echo", "nothing stated")


class Extracted(Record):
    """What was read from one answer.

    Attributes:
        letters: The letters as shown to the model, sorted; empty unless ``outcome`` is "answered".
        outcome: Whether the text answers, abstains, or cannot be parsed.
        rule: Which rule decided.
    """

    letters: tuple[str, ...] = ()
    outcome: Literal["answered", "abstained", "unparsable"]
    rule: Rule

    @model_validator(mode="after")
    def _only_answers_have_letters(self) -> Self:
        if bool(self.letters) != (self.outcome == "answered"):
            raise ValueError(f"the outcome {self.outcome!r} does not go with the letters {self.letters}")
        return self


def extract(text: str, options: Mapping[str, str], *, multiple: bool) -> Extracted:
    """Read which of the offered options a free-text answer states; the right one is not known here.

    The last statement outside reasoning blocks counts, then a letter that opens the text, then options called correct,
    then the one option whose text is repeated; a refusal counts if no option is stated. Nothing is guessed: text that
    no rule reads is unparsable.

    Args:
        text: What the model wrote.
        options: Option texts by letter (single capitals), as shown to the model.
        multiple: True if the answer may be several letters; otherwise several letters are unparsable.

    Returns:
        The letters, the outcome and the rule that decided.
    """
    return _extract(text, _offered(tuple(options.items()), multiple=multiple))


@lru_cache(maxsize=1024)
def _offered(options: tuple[tuple[str, str], ...], *, multiple: bool) -> OfferedOptions:
    """Built once for all models and Conditions that are offered the same options."""
    return OfferedOptions(dict(options), multiple=multiple)


@lru_cache(maxsize=1024)
def _extract(text: str, offered: OfferedOptions) -> Extracted:
    """Cached because a model often gives the same answer under several Conditions."""
    answer, finished = outside_thoughts(text)
    turn = first_turn(answer)
    result = _read(head_and_tail(to_plain(turn)), offered)
    if result.rule in _NO_STATEMENT and turn != answer:
        result = _read(head_and_tail(to_plain(answer)), offered)
    if result.rule in _NO_STATEMENT and not finished:
        return _unparsable("unfinished reasoning")
    return result


def _unparsable(rule: Rule) -> Extracted:
    return Extracted(outcome="unparsable", rule=rule)


def _result(mention: Mention, rule: Rule) -> Extracted:
    if mention.flaw:
        return _unparsable(mention.flaw)
    return Extracted(letters=mention.letters, outcome="answered", rule="option text" if mention.by == "text" else rule)


def _read(page: PlainText, offered: OfferedOptions) -> Extracted:
    if not any(char.isalnum() for char in page.text):
        return _unparsable("empty")
    words = wording_for(page.text)
    page, echoed = without_echo(page, offered, words)
    reader = AnswerReader(page, offered, words)
    statements = find_statements(reader)
    stated = sorted([*statements.stated, *line_statements(reader)], key=lambda mention: (mention.end, -mention.start))
    if stated:
        if words.retracts.search(page.text, stated[-1].end):
            return _unparsable("retracted")
        return _result(stated[-1], "stated")
    if leading := leading_letter(reader):
        return _result(leading, "leading letter")
    agreed = _agreed(statements.asserted, multiple=offered.multiple) or _agreed(statements.findings, multiple=False)
    if agreed:
        return _result(agreed, "asserted")
    if refusing := refusing_option(reader):
        return _result(refusing, "option text")
    if refuses(reader):
        return Extracted(outcome="abstained", rule="refusal")
    if repeated := repeated_option(reader):
        return _result(repeated, "option text")
    return _unparsable("echo" if echoed else "nothing stated")


def _agreed(mentions: Sequence[Mention], *, multiple: bool) -> Mention | None:
    """Join assertions: all of them where several options may be right, else only if they agree."""
    if not mentions:
        return None
    letters = tuple(sorted({letter for mention in mentions for letter in mention.letters}))
    flaws = [mention.flaw for mention in mentions if mention.flaw]
    flaw = flaws[0] if flaws else "several" if len(letters) > 1 and not multiple else ""
    return Mention(letters, mentions[0].start, mentions[-1].end, mentions[-1].by, flaw)
