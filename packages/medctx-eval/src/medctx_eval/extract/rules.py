"""The order of the rules: what an answer is read by, and what is never read into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from medctx_eval.extract.extracted import Extracted, Rule
from medctx_eval.extract.languages import WORDS
from medctx_eval.extract.lines import leading_letter, line_statements, without_echo
from medctx_eval.extract.mentions import mentioned_option, refuses, refusing_option
from medctx_eval.extract.options import Options
from medctx_eval.extract.plain import Plain, first_turn, outside_reasoning, plain
from medctx_eval.extract.reading import Reader, Said
from medctx_eval.extract.statements import statements

_SILENT: tuple[Rule, ...] = ("empty", "echo", "nothing stated")


def extract(text: str, options: Mapping[str, str], *, multiple: bool) -> Extracted:
    """Read which of the ``options`` (by single capital letters, as shown) an answer states; it is never told the gold.

    The last statement outside reasoning blocks counts, then a letter that opens the text, then options called
    correct, then the one option whose text is repeated; a refusal counts where no option is stated. With ``multiple``
    the answer is a set of letters; without it several letters are unparsable. Nothing is guessed: what no rule reads
    is unparsable.
    """
    return _extract(text, _offered(tuple(options.items()), multiple=multiple))


@lru_cache(maxsize=1024)
def _offered(options: tuple[tuple[str, str], ...], *, multiple: bool) -> Options:
    """Made once for all models and Conditions that are offered the same."""
    return Options(dict(options), multiple=multiple)


@lru_cache(maxsize=1024)
def _extract(text: str, offered: Options) -> Extracted:
    """Read once for every Condition in which a model says the same: held to choices, it mostly does."""
    answer, finished = outside_reasoning(text)
    turn = first_turn(answer)
    read = _read(plain(turn), offered)
    if read.rule in _SILENT and turn != answer:
        read = _read(plain(answer), offered)
    if read.rule in _SILENT and not finished:
        return _unparsable("unfinished reasoning")
    return read


def _unparsable(rule: Rule) -> Extracted:
    return Extracted(outcome="unparsable", rule=rule)


def _settled(said: Said, rule: Rule) -> Extracted:
    if said.flaw:
        return _unparsable(said.flaw)
    return Extracted(letters=said.letters, outcome="answered", rule="option text" if said.by == "text" else rule)


def _read(page: Plain, offered: Options) -> Extracted:
    if not any(char.isalnum() for char in page.text):
        return _unparsable("empty")
    page, echoed = without_echo(page, offered)
    reader = Reader(page, offered)
    made = statements(reader)
    stated = sorted([*made.stated, *line_statements(reader)], key=lambda said: (said.end, -said.start))
    if stated:
        if WORDS.retracts.search(page.text, stated[-1].end):
            return _unparsable("retracted")
        return _settled(stated[-1], "stated")
    if leading := leading_letter(reader):
        return _settled(leading, "leading letter")
    if agreed := _agreed(made.asserted, multiple=offered.multiple) or _agreed(made.found, multiple=False):
        return _settled(agreed, "asserted")
    if named := refusing_option(reader):
        return _settled(named, "option text")
    if refuses(reader):
        return Extracted(outcome="abstained", rule="refusal")
    if mentioned := mentioned_option(reader):
        return _settled(mentioned, "option text")
    return _unparsable("echo" if echoed else "nothing stated")


def _agreed(said: Sequence[Said], *, multiple: bool) -> Said | None:
    """Assertions taken together: all of them where several options may be right, else what they agree on."""
    if not said:
        return None
    letters = tuple(sorted({letter for one in said for letter in one.letters}))
    flaws = [one.flaw for one in said if one.flaw]
    flaw = flaws[0] if flaws else "several" if len(letters) > 1 and not multiple else ""
    return Said(letters, said[0].start, said[-1].end, said[-1].by, flaw)
