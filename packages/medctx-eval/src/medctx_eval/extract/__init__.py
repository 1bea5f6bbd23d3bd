"""Reads which of the offered options a free-text answer states, without knowing the right one.

``rules`` fixes the order of the rules. ``languages`` holds the wordings of each language, ``markup`` and ``thoughts``
remove what is not part of the answer, ``options`` finds letters and option texts, ``reader`` joins them to lists, and
``statements``, ``lines`` and ``unstated`` decide where in an answer they count.

Example:
    >>> extract("The answer is B.", {"A": "Aspirin", "B": "Heparin"}, multiple=False).letters
    ('B',)
"""

from medctx_eval.extract.rules import Extracted, Rule, extract

__all__ = ["Extracted", "Rule", "extract"]
