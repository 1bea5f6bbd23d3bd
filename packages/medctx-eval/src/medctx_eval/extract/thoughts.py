"""Removes what a model marks as its reasoning."""

from __future__ import annotations

import re

_THOUGHT = r"(?:think(?:ing)?|thoughts?|reason(?:ing)?|analysis|scratchpad)"
_OPEN = rf"(?:<{_THOUGHT}>|<\|begin_of_thought\|>|\[THINK\]|◁think▷)"
_CLOSE = rf"(?:</{_THOUGHT}>|<\|end_of_thought\|>|\[/THINK\]|◁/think▷)"
_BLOCK = re.compile(rf"{_OPEN}(?:(?!{_OPEN}).)*?{_CLOSE}", re.DOTALL | re.IGNORECASE)
_END = re.compile(_CLOSE, re.IGNORECASE)
_FROM_OPEN = re.compile(rf"{_OPEN}.*", re.DOTALL | re.IGNORECASE)


def outside_reasoning(answer: str) -> tuple[str, bool]:
    """Return the text outside reasoning blocks, and whether the last block was closed.

    Chat templates that open the block in the prompt leave only its end in the answer: all text before it is reasoning.
    """
    text, blocks = answer, 1
    while blocks:
        text, blocks = _BLOCK.subn("\n", text)
    ends = [match.end() for match in _END.finditer(text)]
    text, unfinished = _FROM_OPEN.subn("", text[ends[-1] :] if ends else text)
    return text, not unfinished
