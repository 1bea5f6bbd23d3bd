"""Builds the patterns of languages that state answers as the European ones do, from lists of words.

The grammar is shared: adjectives stand before or after their noun, then a verb or a colon, then the answer ("die
richtige Antwort ist B", "la respuesta correcta es la B"); or the answer stands first ("B est la bonne réponse").
"""

from __future__ import annotations

from dataclasses import dataclass

from medctx_eval.extract.languages.language import Language

_LETTER = r"(?-i:[A-Z])(?!\w)"
_NEVER = r"(?!)"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Alternatives of regular expressions, separated by ``|``; a blank stands for any white space.

    Attributes:
        answer: Nouns for an answer.
        option: Nouns for an option or its letter.
        right: Adjectives that mark the answer ("correct", "final").
        copula: Verbs between an answer's noun and the answer ("is").
        adverb: Adverbs that may follow the verb ("therefore").
        wrong: Adjectives that reject an option.
        article: Articles and elided forms that may stand before a letter or an option's text.
        choose: Verbs of choice that end where the answer begins.
        chosen: Verbs of choice that begin where the answer ends.
        most_likely: Adjectives that mark what the question asks for.
        it_is: Verbs before an option's text ("it is a case of").
        therefore: Words that open a conclusion, or name what is left.
        because: Words that open a reason.
        but: Words that open a contrast.
        conjunction: "and".
        alternative: "or".
        negation: Words that deny.
        doubt: Words that make a sentence no statement: "perhaps", "whether", "some students".
        condition: "if".
        modal: Verbs that together with a condition make a sentence no statement.
        preposition: Prepositions that may precede or follow an option's text.
        explanation: Nouns that open an explanation.
        retraction: Words that take back what was stated before.
        refusal: Sentences that say that the answer is not known.
        copula_may_be_left_out: True for languages that say "option B correct".
    """

    answer: str
    option: str
    right: str
    copula: str
    adverb: str
    wrong: str
    article: str
    choose: str
    chosen: str
    most_likely: str
    it_is: str
    therefore: str
    because: str
    but: str
    conjunction: str
    alternative: str
    negation: str
    doubt: str
    condition: str
    modal: str
    preposition: str
    explanation: str
    retraction: str
    refusal: str
    copula_may_be_left_out: bool = False


def _word(alternatives: str) -> str:
    """Return a pattern for one of the alternatives as words of their own."""
    return rf"(?<!\w)(?:{alternatives})(?!\w)".replace(" ", r"\s+")


def patterns_of(words: Vocabulary) -> Language[str]:
    """Return the patterns of a language."""
    answer, option, right, copula = (_word(part) for part in (words.answer, words.option, words.right, words.copula))
    article = rf"(?:(?<!\w)(?:{words.article})(?:(?<=')|\s+))".replace(" ", r"\s+")
    adverbs = rf"(?:{_word(words.adverb)}[\s,]*){{0,3}}"
    negation, wrong, because = _word(words.negation), _word(words.wrong), _word(words.because)
    is_ = rf"(?:{copula}\s+)?" if words.copula_may_be_left_out else rf"{copula}\s+"
    about = rf"(?:\s+(?!{negation}|{_word(words.doubt)})[^\s.:;,?!]+){{0,6}}?"
    end = rf"[\"')\]]*(?:\s*(?:{copula}|[:=]|-+>?(?=\s))|[^\S\n]*\n)[\s:]*{adverbs}"
    return Language(
        cues=(
            rf"(?:{right}\s+){{0,3}}{answer}(?:\s+{right}){{0,3}}{about}{end}"
            rf"|(?:(?:{right}\s+){{1,3}}{option}|{option}(?:\s+{right}){{1,3}}){about}{end}"
            rf"|{right}\s+{copula}[\s:]*{adverbs}|{_word(words.choose)}\s+"
        ),
        conclusions=(
            rf"{_word(words.therefore)}[,:]?\s*(?:{copula}\s+)?{adverbs}"
            rf"|{answer}(?:\s+{right}){{0,2}}[^\S\n]+(?={_LETTER})"
            rf"|^{option}[^\S\n]+(?={_LETTER})"
        ),
        findings=(
            rf"{_word(words.most_likely)}(?:\s+(?!{negation}|{wrong})[\w'-]+){{0,5}}?\s*(?:{copula}|:"
            rf"|-(?=\s))\s*{adverbs}"
            rf"|(?<!\w)(?:{words.it_is})(?:(?<=')|\s+)".replace(" ", r"\s+")
        ),
        stated_after=(
            rf"[\s,]*(?:{is_}|=\s*|-\s+){adverbs}{article}?(?:{right}\s+){{0,3}}{answer}"
            rf"|\s+{article}(?:{right}\s+){{1,3}}(?:{answer}|{option})|\s+{_word(words.chosen)}"
        ),
        asserted_after=rf"\s*(?:{is_}{adverbs}{article}?{right}|[-:(]\s*{right})(?!\s+{wrong})",
        clause=(
            rf"[,;:\n]|[.!?](?=\s|$)|\s-\s|{_word(words.therefore)}|{because}|{_word(words.but)}"
            rf"|{_word(words.conjunction)}"
        ),
        denied_before=rf"{negation}|{_word(words.doubt)}|{_word(words.condition)}",
        denied_after=(
            rf"[\"')\]]*\s*(?:-\s*)?(?:{copula}\s*)?{adverbs}(?:{negation}(?!\s+(?:{article}"
            rf"|{option}\s+)?{_LETTER})|{wrong})"
        ),
        modal=_word(words.modal) if words.modal else _NEVER,
        condition=_word(words.condition),
        naming=rf"{article}(?=\w)|(?:{option}|{answer})[\s:.\"'(\[-]*",
        option_noun=option,
        follows=(
            rf"\s+(?:{copula}|{because}|{_word(words.conjunction)}|{_word(words.alternative)}|{negation}|{right}"
            rf"|{wrong}|{article}{right}|{_word(words.chosen)}|{_word(words.therefore)}|{_word(words.explanation)})"
        ),
        verb=rf"\s+(?:{copula}|{right}|{wrong})",
        because=rf",?\s+{because}",
        rejected=rf"(?:{wrong}|{negation}(?!\s+{_LETTER}))",
        conjunction=rf"(?:{_word(words.conjunction)}|{_word(words.alternative)})(?!\s*{negation})",
        statement_end=rf",\s*(?:{because}|{negation})",
        joins=rf"\s*,?\s*{_word(words.conjunction)}\s*",
        chooses=rf"\s*,?\s*{_word(words.alternative)}\s*",
        before_mention=rf"(?:{copula}|{_word(words.preposition)}|{_word(words.adverb)}|{article})\s*\Z",
        after_mention=(
            rf"\s*(?:{copula}|{because}|{_word(words.preposition)}|{_word(words.conjunction)}"
            rf"|{_word(words.therefore)})"
        ),
        doubted="|".join(
            (negation, wrong, _word(words.doubt), _word(words.condition), _word(words.alternative), _word(words.but))
        ),
        retracts=rf"(?:^|[.!?;,\n-]\s*){_word(words.retraction)}(?=[\s,.!]|$)",
        explains=rf"\W*{_word(words.explanation)}",
        refusals=words.refusal.replace(" ", r"\s+"),
        refuses=words.refusal.replace(" ", r"\s+"),
    )
