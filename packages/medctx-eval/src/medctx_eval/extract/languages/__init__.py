"""The wordings to read an answer with, chosen by the languages that occur in it."""

from __future__ import annotations

import re
from dataclasses import fields
from functools import cache

from medctx_eval.extract.languages.arabic import ARABIC
from medctx_eval.extract.languages.chinese import CHINESE
from medctx_eval.extract.languages.english import ENGLISH
from medctx_eval.extract.languages.french import FRENCH
from medctx_eval.extract.languages.german import GERMAN
from medctx_eval.extract.languages.italian import ITALIAN
from medctx_eval.extract.languages.japanese import JAPANESE
from medctx_eval.extract.languages.korean import KOREAN
from medctx_eval.extract.languages.language import Language, Wording
from medctx_eval.extract.languages.portuguese import PORTUGUESE
from medctx_eval.extract.languages.russian import RUSSIAN
from medctx_eval.extract.languages.spanish import SPANISH
from medctx_eval.extract.markup import simplify


def _any_word(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE)


# Words and characters that give a language away. Every language is read beside English, for models mix them; the others
# stay out, as their words mean something else elsewhere ("o" is "or" in Spanish) and cost time.
_HINTS: tuple[tuple[Language[str], re.Pattern[str]], ...] = (
    (CHINESE, re.compile(r"[\u3400-\u9fff]")),
    (JAPANESE, re.compile(r"[\u3040-\u30ff]")),
    (KOREAN, re.compile(r"[\uac00-\ud7af]")),
    (ARABIC, re.compile(r"[\u0620-\u064a]")),
    (RUSSIAN, re.compile(r"[\u0400-\u04ff]")),
    (
        GERMAN,
        _any_word(
            "antwort(?:en)?|richtig|korrekt|lösung|ist|nicht|ich|oder|wähle|weiß|endantwort|der|und|sich|falsch"
            "|wahr|wäre|kein"
        ),
    ),
    (
        SPANISH,
        _any_word(
            "respuestas?|opci[oó]n|correcta|incorrecta|es|se|siento|porque|elijo|sé|el|puede|texto|elegiría"
            "|verdadero|falso|los|del|por"
        ),
    ),
    (
        FRENCH,
        _any_word(
            "réponses?|est|la|le|s'agit|l'option|correcte|choisis|je|donc|car|texte|pas|plus|les|une|faux|vrai|et"
            "|du|des|sont"
        ),
    ),
    (
        PORTUGUESE,
        _any_word(
            "respostas?|opção|alternativa|é|não|escolho|correta|sei|está|portanto|uma|escolheria|gabarito|trata-se"
            "|verdadeiro|errad[ao]|foi|pela|das|dos"
        ),
    ),
    (ITALIAN, _any_word("risposta|opzione|è|corretta|scelgo|quindi|so|testo|il|della|più|tratta|vero|sono|gli|che")),
)


def wording_for(text: str) -> Wording:
    """Return the patterns of English and of every language that occurs in the text."""
    present = tuple(number for number, (_, hint) in enumerate(_HINTS) if hint.search(text))
    return _combined(present[1:] if present[:2] == (0, 1) else present)  # Chinese characters beside kana are Japanese


@cache
def _combined(numbers: tuple[int, ...]) -> Wording:
    return _combine(ENGLISH, *(_HINTS[number][0] for number in numbers))


def _combine(*languages: Language[str]) -> Wording:
    """Compile patterns that match wherever the pattern of one of ``languages`` matches."""
    names = [field.name for field in fields(Language)]
    sources = {name: "|".join(f"(?:{getattr(language, name)})" for language in languages) for name in names}
    return Language(
        **{name: re.compile(simplify(source), re.IGNORECASE | re.MULTILINE) for name, source in sources.items()}
    )
