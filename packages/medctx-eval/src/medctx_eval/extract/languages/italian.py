"""Words by which answers are stated, denied and refused in Italian."""

from medctx_eval.extract.languages.vocabulary import Vocabulary, patterns_of

ITALIAN = patterns_of(
    Vocabulary(
        answer=r"rispost[ae]|soluzione",
        option=r"opzion[ei]|alternativa|lettera|scelta|affermazione",
        right=(
            r"corrett[aoe]|esatt[ao]|giust[ao]|final[e]|definitiva|miglior[e]?|vera|appropriat[ao]|adeguat[ao]"
            r"|più (?:probabile|appropriat[ao]|adatt[ao]|corrett[ao])|unic[ao]|mia"
        ),
        copula=(
            r"è|sono|era|è stat[ao]|sarebbe|sarà|deve essere|dovrebbe essere|sembra essere|corrisponde a|rimane"
            r"|resta|si tratta di"
        ),
        adverb=r"quindi|dunque|perciò|pertanto|chiaramente|probabilmente|certamente|solo|soltanto|sicuramente|allora",
        wrong=(
            r"errat[aoe]|sbagliat[aoe]|fals[aoe]|scorrett[aoe]|non corrett[aoe]|improbabile|poco probabile"
            r"|esclus[ao]|inappropriat[ao]"
        ),
        article=r"il|lo|la|i|gli|le|un|uno|una|l'|un'|dell'|della|del|di|all'",
        choose=r"scelgo|sceglierei|seleziono|opto per|opterei per|segno|voto per|propendo per|direi",
        chosen=r"risponde correttamente",
        most_likely=(
            r"più (?:probabile|appropriat[ao]|adatt[ao]|frequente|comune|indicat[ao]|corrett[ao])|di scelta"
            r"|di prima scelta|miglior[e]?"
        ),
        it_is=r"si tratta di",
        therefore=r"resta|rimane|quindi|dunque|perciò|pertanto|in conclusione|conclusione|di conseguenza|in sintesi",
        because=r"perché|poiché|in quanto|dato che|siccome|a causa",
        but=r"ma|però|tuttavia|mentre|bensì",
        conjunction=r"e|ed|nonché",
        alternative=r"o|oppure|ovvero|e/o",
        negation=r"non|né|mai|nessun[ao]?|tranne|eccetto",
        doubt=(
            r"forse|inizialmente|all'inizio|potrebbero?|possibile|molti|alcuni|studenti|invece di|anziché"
            r"|piuttosto che|dubbio|esclud\w+"
        ),
        condition=r"se|qualora|a meno che",
        modal=r"sarebbe|potrebbe",
        preposition=r"di|da|in|con|per|a|ha|presenta|suggerisce|indica|soffre|come|su|nel|nella",
        explanation=r"spiegazione|motivazione|giustificazione|ragionamento|motivo|commento",
        retraction=r"aspetta|un momento|mi sono sbagliat[oa]|correggo|non è corretto|non è giusto",
        refusal=(
            r"non (?:\w+ ){0,2}?(?:possibile|posso|può|possiamo|riesco a) (?:\w+ ){0,2}?(?:determinar|rispond|saper"
            r"|stabil|conclud|dir|decid|fornir|aiutar)\w*"
            r"|non (?:lo )?(?:so|sappiamo|conosco)(?!\w)|impossibile (?:\w+ )?(?:determinare|rispondere|sapere"
            r"|stabilire)"
            r"|(?:testo|brano|contesto|documento|articolo|passaggio) non (?:\w+ )?(?:menziona|indica|contiene"
            r"|specifica|fornisce|dice|riporta|include)"
            r"|non (?:ci sono|vi sono|è|sono) (?:\w+ )?(?:informazioni|menzionat\w+|specificat\w+)"
            r"|informazioni insufficienti"
        ),
    )
)
