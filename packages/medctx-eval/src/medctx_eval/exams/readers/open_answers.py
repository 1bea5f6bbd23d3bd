"""Options for questions that were published with a free answer: their answer among those of other questions.

Which options are offered depends on the text alone, so an item is the same in every run. An answer to another question
is often of another kind, so such an item is easier than the published question, and its accuracy is not the published
one.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from medctx_eval.exams.schema import LETTERS

OFFERED = 4
NOTHING_ELSE = "no other answer to offer"


def offered(name: str, answer: str, others: Iterable[str], count: int = OFFERED) -> tuple[dict[str, str], str] | None:
    """Return options by letter and the letter of the right one; None if there is no other answer.

    Args:
        name: Id of the question, which seeds the draw.
        answer: Its answer.
        others: Answers to other questions; those that are the same, or part of one another, are not offered.
        count: Number of options, at most.
    """
    own = answer.strip().casefold()
    different = {
        text.strip().casefold(): text.strip()
        for text in others
        if text.strip() and text.strip().casefold() not in own and own not in text.strip().casefold()
    }
    if not different:
        return None
    draw = Random(f"options-{name}")
    wrong = draw.sample(sorted(different.values()), min(count - 1, len(different)))
    place = draw.randrange(len(wrong) + 1)
    texts = [*wrong[:place], answer.strip(), *wrong[place:]]
    return dict(zip(LETTERS, texts, strict=False)), LETTERS[place]
