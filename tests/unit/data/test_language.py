"""Scripts against stated languages."""
# ruff: noqa: RUF001 - Chinese is written with full-width marks.

from __future__ import annotations

import pytest

from medctx_data.text.script import is_written_in


@pytest.mark.parametrize(
    ("text", "language", "fits"),
    [
        ("What are the symptoms of gout in adults?", "en", True),
        ("痛风有哪些症状？应该怎么治疗？", "en", False),
        ("痛风有哪些症状？应该怎么治疗？", "zh", True),
        ("What are the symptoms of gout in adults?", "zh", False),
        ("请解释 machine learning 中的过拟合问题", "zh", True),
        ("Translate to Chinese: I have had a fever for three days now.\n我发烧三天了。", "en", True),
        ("これは日本語の文章です、漢字もあります", "ja", True),
        ("12 + 30 = 42", "zh", True),
        ("Was ist Gicht und wie wird sie behandelt?", "de", True),
        ("Ничего не понятно из этого текста", "en", False),
        ("a language nobody listed here at all", "xx", True),
    ],
)
def test_a_text_is_in_the_script_of_its_language_or_not(text: str, language: str, fits: bool) -> None:
    assert is_written_in(text, language) is fits
