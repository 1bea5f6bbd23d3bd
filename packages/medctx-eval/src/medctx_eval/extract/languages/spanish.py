"""Words by which answers are stated, denied and refused in Spanish."""

from medctx_eval.extract.languages.vocabulary import Vocabulary, patterns_of

SPANISH = patterns_of(
    Vocabulary(
        answer=r"respuestas?|solución|rpta\.?",
        option=r"opci[oó]n(?:es)?|alternativa|letra|inciso|literal|elección|opción de respuesta",
        right=(
            r"correct[ao]s?|final|definitiva|mejor|adecuad[ao]|acertad[ao]|verdader[ao]|más (?:probable|adecuad[ao]"
            r"|apropiad[ao]|correct[ao])"
            r"|apropiad[ao]|únic[ao]|mi|válida"
        ),
        copula=r"es|son|fue|era|ha sido|sería|será|debe ser|debería ser|corresponde a|parece ser|se trata de|queda",
        adverb=(
            r"por (?:lo )?tanto|entonces|claramente|probablemente|seguramente|pues|sin duda|solo|sólo|únicamente"
            r"|así"
        ),
        wrong=(
            r"incorrect[ao]s?|fals[ao]s?|erróne[ao]s?|equivocad[ao]s?|improbable|poco probable|descartad[ao]"
            r"|inadecuad[ao]"
        ),
        article=r"el|la|los|las|un|una|al|del|de la",
        choose=(
            r"(?:elijo|elegiría|elegir|escojo|escogería|selecciono|seleccionaría|marco|marcaría|opto por"
            r"|optaría por|me quedo con|me inclino por|voto por)"
        ),
        chosen=r"responde correctamente|cumple|encaja",
        most_likely=(
            r"más (?:probable|adecuad[ao]|apropiad[ao]|frecuente|común|indicad[ao]|correct[ao])|de elección|mejor"
        ),
        it_is=r"se trata de",
        therefore=(
            r"queda|quedaría|por (?:lo )?tanto|por consiguiente|en conclusión|así que|entonces|conclusión"
            r"|en resumen|luego"
        ),
        because=r"porque|ya que|pues|puesto que|dado que|debido a",
        but=r"pero|sino|aunque|sin embargo|mientras",
        conjunction=r"y|e|así como",
        alternative=r"o|u|y/o",
        negation=r"no|ni|nunca|ningun[ao]|tampoco|excepto|salvo",
        doubt=(
            r"quizás?|al principio|inicialmente|tal vez|podrían?|posiblemente|muchos|algunos|estudiantes"
            r"|en lugar de|en vez de|duda|descart\w+"
        ),
        condition=r"si|en caso de|a menos que",
        modal=r"sería|podría",
        preposition=r"de|en|con|por|para|a|tiene|presenta|sugiere|indica|padece|como|hacia",
        explanation=r"explicación|justificación|razón|razonamiento|motivo",
        retraction=r"espera|un momento|me equivoqué|corrijo|rectifico|eso no es correcto|no es así",
        refusal=(
            r"no (?:se )?(?:me )?(?:es posible|puedo|puede|podemos|pueden) (?:\w+ ){0,2}?(?:determinar|responder"
            r"|saber|contestar|decidir|concluir|deducir|inferir|establecer|proporcionar|ayudar)\w*"
            r"|no (?:lo )?(?:sé|sabemos|conozco)(?!\w)|imposible (?:de )?(?:determinar|responder|saber)"
            r"|(?:texto|pasaje|contexto|documento|artículo|información) no (?:\w+ )?(?:menciona|indica|contiene"
            r"|especifica|proporciona|dice|incluye|aclara|señala)"
            r"|no (?:se )?(?:menciona|indica|especifica|proporciona)n? (?:\w+ ){0,4}?(?:en el|texto|pasaje)"
            r"|(?:no hay|falta|sin) (?:\w+ )?información(?: suficiente)?|información insuficiente"
        ),
    )
)
