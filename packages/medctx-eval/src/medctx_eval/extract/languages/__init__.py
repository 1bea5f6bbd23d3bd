"""The wordings of all languages together: models mix languages, whatever the language of the question."""

from medctx_eval.extract.languages.chinese import CHINESE
from medctx_eval.extract.languages.english import ENGLISH
from medctx_eval.extract.languages.language import combine

ALL_LANGUAGES = combine(ENGLISH, CHINESE)
