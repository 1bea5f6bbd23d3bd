"""Removes what a model marks as its thoughts. ``MARKERS`` lists how the model families mark them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from medctx_eval.extract.markup import fold


@dataclass(frozen=True, slots=True)
class ThoughtMarker:
    """How a family of models marks the begin and the end of a thought.

    Attributes:
        families: Who marks thoughts so.
        begin: Pattern of the begin, over text in lower case.
        end: Pattern of the end.
        ends_alone: True if the end also counts without a begin, since chat templates open the thought in the prompt.
    """

    families: str
    begin: str
    end: str
    ends_alone: bool = True


def _tag(families: str, name: str) -> ThoughtMarker:
    """Return ``<name> ... </name>``, also with blanks and with a suffix (``<name:suffix>``)."""
    suffix = r"(?::[^\s<>]+)?\s*>"
    return ThoughtMarker(families, rf"<\s*{name}{suffix}", rf"<\s*/\s*{name}{suffix}")


MARKERS = (
    _tag("DeepSeek, Qwen, GLM, Nemotron, MiniMax, Step, ERNIE, OLMo, MiMo, Phi, EXAONE 4, Hunyuan, Baichuan", "think"),
    _tag("Reflection, prompts for Claude", "thinking"),
    _tag("Reflection, inside a thought or alone", "reflection"),
    _tag("EXAONE Deep, Marco-o1", "thought"),
    _tag("prompts for thoughts", "thoughts"),
    _tag("Open-R1 style training, LLaVA-CoT", "reasoning"),
    _tag("prompts for reasons", "reason"),
    _tag("prompts for an analysis", "analysis"),
    _tag("prompts for a scratchpad", "scratchpad"),
    _tag("prompts for a monologue", "inner_?monologue"),
    _tag("Seed-OSS", "seed:think"),
    _tag("MiniMax M3", "mm:think"),
    ThoughtMarker("K2 Horizon", r"<ifm\|think(?:_fast|_faster)?>", r"</ifm\|think(?:_fast|_faster)?>"),
    ThoughtMarker(
        "MedGemma, Gemma 4, also without the begin's special token",
        r"<unused94>\s*(?:thought\b)?|<\|channel>\s*thought\b|\Athought\n",
        r"<unused95>|<channel\|>",
    ),
    ThoughtMarker(
        "gpt-oss",
        r"<\|channel\|>(?:analysis|commentary)\b[^<]*<\|message\|>",
        r"<\|channel\|>final\b[^<]*<\|message\|>",
    ),
    ThoughtMarker(
        "gpt-oss without its special tokens",
        r"\A(?:assistant)?analysis(?=[a-z\"'*(])",
        r"assistant\s*final(?!\s+(?:answer|response)\b)",
        ends_alone=False,
    ),
    ThoughtMarker("recipients instead of channels", r"\bto=self\s*<\|message\|>", r"<\|eom\|>", ends_alone=False),
    ThoughtMarker("Magistral, Ministral", r"\[think\]", r"\[/think\]"),
    ThoughtMarker("Kimi", r"◁think▷", r"◁/think▷"),
    ThoughtMarker("Kimi K3", r"<\|open\|>\s*think\s*<\|sep\|>", r"<\|close\|>\s*think\s*<\|sep\|>"),
    ThoughtMarker("Cohere Command", r"<\|start_thinking\|>", r"<\|end_thinking\|>"),
    ThoughtMarker("OpenThinker, Sky-T1", r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),
    ThoughtMarker("PLaMo", r"<\|plamo:begin_think:plamo\|>", r"<\|plamo:end_think:plamo\|>"),
    ThoughtMarker("Inkling", r"<\|content_thinking\|>", r"<\|content_text\|>", ends_alone=False),
    ThoughtMarker("s1, m1", r"<\|im_start\|>\s*think\b", r"<\|im_start\|>\s*answer\b"),
    ThoughtMarker(
        "Granite 3",
        r"\A\s*here(?:'s| is) my thought process:",
        r"\bhere(?:'s| is) my response:",
    ),
    ThoughtMarker("Apriel", r"\A\s*here are my reasoning steps:", r"\[begin final response\]"),
    ThoughtMarker("HuatuoGPT-o1", r"\A\s*##? ?thinking[ \t]*\n", r"^##? ?final response[ \t]*$"),
    ThoughtMarker("Open WebUI", r"<details\s+type=\"reasoning\"[^<>]*>", r"</details>", ends_alone=False),
)  # fmt: skip

_LONGEST_BEGIN = 80
"""No begin of a thought is longer."""

_PATTERNS = tuple(
    (marker, re.compile(marker.begin, re.MULTILINE), re.compile(marker.end, re.MULTILINE)) for marker in MARKERS
)


def opened_thought(prompt: str) -> str:
    """Return the begin of a thought with which a rendered prompt ends, "" if it ends otherwise.

    What the model writes then goes on with the thought, so this text belongs before it.
    """
    tail = prompt[-_LONGEST_BEGIN:].rstrip()
    folded = fold(tail)
    for _, begin, _ in _PATTERNS:
        for match in begin.finditer(folded, 1):
            if match.end() == len(tail):
                return f"{tail[match.start() :]}\n"
    return ""


def outside_thoughts(answer: str) -> tuple[str, bool]:
    """Return the text outside thoughts, and whether the last thought was closed.

    A thought may hold thoughts of other kinds. A begin inside a thought of its own kind opens nothing, so the first
    end closes it; an end that closes nothing makes all text before it a thought.
    """
    folded = fold(answer)
    events = sorted(
        (match.start(), match.end(), number, pattern is end)
        for number, (_, begin, end) in enumerate(_PATTERNS)
        for pattern in (begin, end)
        for match in pattern.finditer(folded)
    )
    outside: list[str] = []
    open_thoughts: list[int] = []
    position = 0
    for start, stop, number, is_end in events:
        if start < position:
            continue
        if not open_thoughts:
            outside.append(answer[position:start])
        position = stop
        if not is_end:
            if number not in open_thoughts:
                open_thoughts.append(number)
        elif number in open_thoughts:
            del open_thoughts[open_thoughts.index(number) :]
        elif not open_thoughts and MARKERS[number].ends_alone:
            outside.clear()
    if not open_thoughts:
        outside.append(answer[position:])
    return "\n".join(outside), not open_thoughts
