"""Words by which answers are stated, denied and refused in French."""

from medctx_eval.extract.languages.vocabulary import Vocabulary, patterns_of

FRENCH = patterns_of(
    Vocabulary(
        answer=r"réponses?|reponses?|solution",
        option=r"option|proposition|choix|lettre|item|alternative",
        right=(
            r"correcte?s?|bonne?s?|exacte?s?|juste|final[e]?|définitive|meilleure?|vraie?|appropriée?|adéquate?"
            r"|(?:la )?plus (?:probable|appropriée?|adaptée?|correcte)|seule|ma"
        ),
        copula=(
            r"est|sont|était|a été|serait|sera|doit être|devrait être|semble être|reste|c'est|il s'agit de"
            r"|correspond à"
        ),
        adverb=(
            r"donc|alors|ainsi|par conséquent|clairement|probablement|certainement|bien|sûrement|évidemment"
            r"|bien sûr|par exemple|uniquement|seulement"
        ),
        wrong=(
            r"incorrecte?s?|fausse?s?|faux|inexacte?s?|erronée?s?|mauvaise?s?|improbable|peu probable|exclue?s?"
            r"|à exclure|inappropriée?s?"
        ),
        article=r"le|la|les|un|une|l'|d'un|d'une|de la|du|de l'|d'|de|à la",
        choose=(
            r"(?:je )?(?:choisis|choisirais|sélectionne|opte pour|opterais pour|coche|retiens|retiendrais"
            r"|pencherais pour|vote pour)|(?:il )?s'agit(?: donc)? de(?: la)?|(?:il )?s'agit d(?=')"
        ),
        chosen=r"convient|est à retenir|correspond le mieux",
        most_likely=(
            r"plus (?:probable|vraisemblable|appropriée?|adaptée?|fréquente?|courante?|indiquée?)|de choix"
            r"|de première intention|meilleure?"
        ),
        it_is=r"(?:il )?s'agit(?: donc)? (?:de|d')",
        therefore=(
            r"reste|il reste|donc|ainsi|par conséquent|en conclusion|conclusion|finalement|en résumé|alors"
            r"|c'est pourquoi"
        ),
        because=r"car|parce que|parce qu'il|puisque|en raison|étant donné",
        but=r"mais|cependant|toutefois|tandis que|alors que|et non",
        conjunction=r"et|ainsi que",
        alternative=r"ou|ou bien|soit|et/ou",
        negation=r"pas|ne|n'est pas|ni|jamais|aucune?|non|sauf|excepté",
        doubt=(
            r"peut-être|au début|initialement|au départ|pourrait|pourraient|si|possible|certains|étudiants"
            r"|plutôt que|au lieu de|doute|éliminer|écarter"
        ),
        condition=r"si|s'il|à moins",
        modal=r"serait|pourrait",
        preposition=r"de|du|en|dans|avec|par|pour|à|au|a|présente|évoque|suggère|souffre|comme|vers|chez",
        explanation=r"explication|justification|raison|raisonnement|commentaire",
        retraction=(
            r"attendez|attends|je me suis trompée?|je corrige|erreur de ma part|ce n'est pas correct"
            r"|ce n'est pas juste"
        ),
        refusal=(
            r"impossible de (?:\w+ )?(?:répondre|déterminer|savoir|conclure|trancher|dire)"
            r"|ne (?:peut|peux|pouvons|peuvent|permet|permettent) (?:pas "
            r"|donc pas )?(?:\w+ ){0,2}?(?:de )?(?:répondre|déterminer|savoir|conclure|trancher|dire"
            r"|être déterminée?)"
            r"|n'est pas possible de (?:répondre|déterminer|savoir)|je ne sais pas|aucune idée|j'ignore"
            r"|(?:texte|passage|document|contexte|article) ne (?:\w+ )?(?:mentionne|précise|contient|indique|dit"
            r"|fournit|donne|permet|parle)"
            r"|n'est pas (?:mentionnée?|précisée?|indiquée?) (?:\w+ )?(?:dans|par)|(?:pas"
            r"|manque) (?:assez )?d'informations?|informations? insuffisantes?"
        ),
    )
)
