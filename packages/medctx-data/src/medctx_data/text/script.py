"""Checks whether a text is written in the script of its language. It cannot distinguish languages of one script."""

from __future__ import annotations

import re

LEAST_SHARE = 0.5
LEAST_UNITS = 5

_SCRIPTS = {
    "latin": re.compile(r"[A-Za-z\u00c0-\u024f]+"),
    "han": re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"),
    "kana": re.compile(r"[\u3040-\u30ff]"),
    "hangul": re.compile(r"[\uac00-\ud7a3]+"),
    "cyrillic": re.compile(r"[\u0400-\u04ff]+"),
    "arabic": re.compile(r"[\u0600-\u06ff]+"),
    "devanagari": re.compile(r"[\u0900-\u097f]+"),
}
_WRITTEN_IN: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("en", "de", "es", "fr", "it", "nl", "pl", "pt", "sv", "tr", "vi"), ("latin",)),
    "zh": ("han",),
    "ja": ("han", "kana"),
    "ko": ("hangul",),
    "ru": ("cyrillic",),
    "ar": ("arabic",),
    "hi": ("devanagari",),
}


def is_written_in(text: str, language: str) -> bool:
    """Return whether at least half of a text (in words, or characters of scripts without spaces) is in that script.

    True for unknown languages and for texts of fewer than ``LEAST_UNITS`` words, which cannot be judged.
    """
    scripts = _WRITTEN_IN.get(language)
    if scripts is None:
        return True
    counts = {name: len(pattern.findall(text)) for name, pattern in _SCRIPTS.items()}
    total = sum(counts.values())
    return total < LEAST_UNITS or sum(counts[name] for name in scripts) >= LEAST_SHARE * total
