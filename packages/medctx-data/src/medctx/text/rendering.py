"""Chat templates applied with a check: every text given must occur in what was rendered, as plain text.

Templates differ in ways that lose text in silence: some read a message's content as a list of parts and drop a string,
some have no system role, some drop what they do not know. ``render`` tries the ways that templates are written for
and refuses what still lacks a text. ``encode_turns`` keeps texts plain: a ``<|end|>`` inside a text is
encoded as its characters, not as the control token.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, cast

from medctx.errors import MedctxError
from medctx.process.progress import say
from medctx.schemas.records import Turn

if TYPE_CHECKING:
    from medctx.text.json_tokenizer import ChatTokenizer

Messages = list[dict[str, object]]
Apply = Callable[[Messages], str]
"""Renders messages with a chat template."""
THOUGHT_END = "</think>"
CHARACTERS_PER_TOKEN = 100
"""More characters than this per token are no plausible tokenization of a text of at least as many characters."""
_SHOWN = 40
_PART_PRINTED = re.compile(r"""["']type["']\s*:\s*["']text["']""")
_FAILURES = (TypeError, ValueError, KeyError, IndexError, AttributeError, RecursionError)
_folded: set[str] = set()


def _fixed_day(form: str) -> str:
    """The date that templates get: always the same, so that no prompt changes overnight.

    It is the day on which Llama 3's templates themselves fall back.
    """
    return date(2024, 7, 26).strftime(form)


def _messages(turns: Sequence[Turn], *, parts: bool) -> Messages:
    return [
        {"role": turn.role, "content": [{"type": "text", "text": turn.content}] if parts else turn.content}
        for turn in turns
    ]


def _without_system_role(turns: Sequence[Turn]) -> list[Turn]:
    """The turns with the system text put before the first question."""
    system, first, *others = turns
    return [first.model_copy(update={"content": f"{system.content}\n\n{first.content}"}), *others]


def _candidates(turn: Turn) -> tuple[str, ...]:
    """The texts of which one must occur in the rendered text: templates may strip, or drop thoughts of an answer."""
    visible = turn.content.rpartition(THOUGHT_END)[2] if turn.role == "assistant" else turn.content
    return (turn.content, turn.content.strip(), visible.strip())


def content_spans(text: str, turns: Sequence[Turn]) -> list[tuple[int, int]] | Turn:
    """Return where the content of each turn occurs in a rendered text, or the first turn that is missing."""
    spans, at = [], 0
    for turn in turns:
        for candidate in _candidates(turn):
            begin = text.find(candidate, at)
            # Some templates put the system text elsewhere, such as before the last question.
            begin = text.find(candidate) if begin < 0 else begin
            if begin >= 0:
                spans.append((begin, begin + len(candidate)))
                at = max(at, begin + len(candidate))
                break
        else:
            return turn
    return spans


def _ways(turns: Sequence[Turn]) -> Iterator[tuple[Sequence[Turn], bool, bool]]:
    """(turns, parts, folded): how a template may want the messages, the ordinary way first."""
    yield from ((turns, parts, False) for parts in (False, True))
    if len(turns) > 1 and turns[0].role == "system" and turns[1].role == "user":
        folded = _without_system_role(turns)
        yield from ((folded, parts, True) for parts in (False, True))


def render_checked(apply: Apply, turns: Sequence[Turn], model: str) -> str:
    """Render turns and check that the text of every turn occurs in the result.

    A template that loops over content parts gets parts. A template without a system role gets the system text before
    the first question, which is said once per model.

    Args:
        apply: Renders messages with the model's chat template.
        turns: The turns.
        model: Name of the model in errors.

    Raises:
        MedctxError: The template fails, or drops the text of a turn, in every way it can be called.
    """
    problem = ""
    for way, parts, folded in _ways(turns):
        try:
            text = apply(_messages(way, parts=parts))
        except Exception as error:
            if not (isinstance(error, _FAILURES) or type(error).__module__.partition(".")[0] == "jinja2"):
                raise
            problem = problem or f"fails on the turns {', '.join(turn.role for turn in turns)} ({_first_line(error)})"
            continue
        spans = content_spans(text, turns)
        if parts and _PART_PRINTED.search(text) and not any(_PART_PRINTED.search(turn.content) for turn in turns):
            continue  # the template prints the list of parts itself
        if not isinstance(spans, Turn):
            if folded and model not in _folded:
                _folded.add(model)
                say(f"The chat template of {model} has no system role: system texts are put before the first question.")
            return text
        beginning = spans.content.strip()[:_SHOWN]
        problem = problem or f"drops the text of the {spans.role} turn that begins {beginning!r}"
    raise MedctxError(
        f"The chat template of {model} {problem}; use a model whose template takes these turns, or mend its "
        "chat_template.jinja."
    )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def render(tokenizer: ChatTokenizer, turns: Sequence[Turn], *, ask: bool) -> str:
    """Render turns as the model was trained to read them, with the check of ``render_checked``.

    Args:
        tokenizer: A tokenizer with a chat template.
        turns: The turns.
        ask: Whether to add the opening of the next answer.
    """

    def apply(messages: Messages) -> str:
        return str(
            tokenizer.apply_chat_template(
                cast("list[dict[str, str]]", messages),  # parts are accepted too, but not declared
                tokenize=False,
                add_generation_prompt=ask,
                strftime_now=_fixed_day,
            )
        )

    return render_checked(apply, turns, str(tokenizer.name_or_path))


class Encoded(NamedTuple):
    """Token ids of a text, and where each token occurs in it: (begin, end) in characters."""

    ids: list[int]
    offsets: list[tuple[int, int]]


class _Special(NamedTuple):
    number: int
    takes_left: bool
    takes_right: bool


@lru_cache(maxsize=16)
def _special_tokens(tokenizer: ChatTokenizer) -> tuple[re.Pattern[str] | None, dict[str, _Special]]:
    """A pattern of the control tokens, and by their text their ids and whether they absorb adjacent white space."""
    tokens = {
        token.content: _Special(number, bool(token.lstrip), bool(token.rstrip))
        for number, token in tokenizer.added_tokens_decoder.items()
        if token.special
    }
    longest_first = sorted(filter(None, tokens), key=len, reverse=True)
    return (re.compile("|".join(map(re.escape, longest_first))) if longest_first else None), tokens


def holds_control_tokens(tokenizer: ChatTokenizer, texts: Sequence[str]) -> bool:
    """Return whether any text holds the characters of a control token, such as ``<|end|>``."""
    pattern, _ = _special_tokens(tokenizer)
    return pattern is not None and any(pattern.search(text) for text in texts)


def _plain(tokenizer: ChatTokenizer, text: str, begin: int) -> Encoded:
    """Encode a piece without control tokens; its offsets are those of the whole text, where it stands at ``begin``."""
    if not text:
        return Encoded([], [])
    encoding = tokenizer(
        text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True, verbose=False
    )
    return Encoded(encoding["input_ids"], [(begin + first, begin + last) for first, last in encoding["offset_mapping"]])


def _is_content(token: tuple[int, int], span: tuple[int, int]) -> bool:
    """Whether a control token is part of a text; a text such as "r" may be found within a token of the template."""
    (first, last), (begin, end) = token, span
    overlaps = begin < last and first < end
    return overlaps and not (first <= begin and end <= last and end - begin < last - first)


def encode_plain_contents(tokenizer: ChatTokenizer, text: str, spans: Sequence[tuple[int, int]]) -> Encoded:
    """Encode a rendered text, in which control tokens within ``spans`` are plain text.

    The text is cut at the other control tokens and the pieces are encoded apart, which is what the tokenizer itself
    does: without control tokens in the spans the result is that of the tokenizer.
    """
    pattern, tokens = _special_tokens(tokenizer)
    ids: list[int] = []
    offsets: list[tuple[int, int]] = []
    at = 0

    def add(piece: Encoded) -> None:
        ids.extend(piece.ids)
        offsets.extend(piece.offsets)

    for match in pattern.finditer(text) if pattern else ():
        if match.start() < at or any(_is_content(match.span(), span) for span in spans):
            continue
        special = tokens[match[0]]
        before = text[at : match.start()]
        add(_plain(tokenizer, before.rstrip() if special.takes_left else before, at))
        begin, at = match.span()
        if special.takes_right:
            at += len(text[at:]) - len(text[at:].lstrip())
        add(Encoded([special.number], [(begin, match.end())]))
    add(_plain(tokenizer, text[at:], at))
    return Encoded(ids, offsets)


def check_token_count(text: str, tokens: int, model: str) -> None:
    """Refuse a tokenization that cannot be one of ``text``: far fewer tokens than characters."""
    if len(text) >= CHARACTERS_PER_TOKEN * max(tokens, 1) + CHARACTERS_PER_TOKEN and len(text.split()) > 2 * tokens:
        raise MedctxError(
            f"The tokenizer of {model} gives {tokens} tokens for a text of {len(text):,} characters that begins "
            f"{text.strip()[:_SHOWN]!r}; it drops text, so use another tokenizer."
        )


def encode_turns(tokenizer: ChatTokenizer, text: str, turns: Sequence[Turn]) -> Encoded:
    """Encode the rendered text of turns with the texts of the turns as plain text. Needs a fast tokenizer.

    Raises:
        MedctxError: The number of tokens is implausible.
    """
    spans = content_spans(text, turns)
    plain = isinstance(spans, Turn) or not holds_control_tokens(tokenizer, [turn.content for turn in turns])
    if plain or isinstance(spans, Turn):
        encoding = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        encoded = Encoded(encoding["input_ids"], list(encoding["offset_mapping"]))
    else:
        encoded = encode_plain_contents(tokenizer, text, spans)
    check_token_count(text, len(encoded.ids), str(tokenizer.name_or_path))
    return encoded
