"""What a language module provides: patterns for stating, denying, retracting and refusing an answer."""

from __future__ import annotations

from dataclasses import dataclass
from re import Pattern
from typing import Generic, TypeAlias, TypeVar

Form = TypeVar("Form", str, Pattern[str])


@dataclass(frozen=True, slots=True)
class Language(Generic[Form]):
    """Patterns over the plain text of an answer (see ``markup``): sources in a language module, compiled for use.

    Case is ignored; ``^`` and ``$`` match at every line. Han characters may be written in either script.

    Attributes:
        cues: Plain statements that end where the answer begins ("the answer is").
        conclusions: Cues that count only if the sentence ends after the answer ("so it is").
        findings: Cues that name what the question asks for ("the most likely diagnosis is").
        stated_after: Begins where the answer ends and states it ("is the correct answer").
        asserted_after: Begins where the answer ends and calls it correct ("is correct").
        clause: A boundary between clauses.
        denied_before: Undoes a statement if it occurs earlier in the same clause ("not", "some students").
        denied_after: Undoes a statement if it follows directly ("is wrong").
        modal: Undoes a statement if the sentence also has a ``condition`` ("would be").
        condition: See ``modal`` ("if").
        naming: May stand between a cue and the answer ("option").
        option_noun: What a letter may be called before it, to name it ("option").
        follows: May directly follow a letter ("because").
        verb: Directly follows a letter that is the subject of a sentence ("is").
        because: Directly follows an answer and opens its reason ("because").
        rejected: Directly follows a letter and rejects it ("wrong").
        conjunction: Directly follows a letter whose sentence goes on with another one ("and", "or").
        statement_end: Directly follows an answer, instead of the end of the sentence (", because").
        joins: Stands between two answers that both hold ("and").
        chooses: Stands between two alternatives ("or").
        before_mention: May precede an option's text that is a phrase of its own.
        after_mention: May follow an option's text that is a phrase of its own.
        doubted: Makes a sentence no statement of the option named in it ("unlikely", "versus").
        retracts: Takes back what was stated before ("wait").
        explains: Opens an explanation ("Rationale:").
        refusals: Says that the answer is not known.
        refuses: The narrow core of ``refusals``; it contradicts a letter that stands before it.
    """

    cues: Form
    conclusions: Form
    findings: Form
    stated_after: Form
    asserted_after: Form
    clause: Form
    denied_before: Form
    denied_after: Form
    modal: Form
    condition: Form
    naming: Form
    option_noun: Form
    follows: Form
    verb: Form
    because: Form
    rejected: Form
    conjunction: Form
    statement_end: Form
    joins: Form
    chooses: Form
    before_mention: Form
    after_mention: Form
    doubted: Form
    retracts: Form
    explains: Form
    refusals: Form
    refuses: Form


Wording: TypeAlias = Language[Pattern[str]]
"""The compiled patterns that an answer is read with."""
