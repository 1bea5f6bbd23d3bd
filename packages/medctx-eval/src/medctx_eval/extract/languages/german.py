"""Words by which answers are stated, denied and refused in German."""

from medctx_eval.extract.languages.vocabulary import Vocabulary, patterns_of

GERMAN = patterns_of(
    Vocabulary(
        answer=r"antwort(?:en)?|antwortmöglichkeit|antwortoption|lösung|endantwort|ergebnis",
        option=r"option|möglichkeit|auswahl|alternative|aussage|buchstabe|wahl|variante",
        right=(
            r"richtige?[nrs]?|korrekte?[nrs]?|beste[nrs]?|zutreffende?[nrs]?|wahrscheinlichste[nrs]?"
            r"|endgültige[nrs]?|finale[nrs]?"
            r"|meine|passende[nrs]?|passendste[nrs]?|gesuchte[nrs]?|einzige?[nrs]?|geeignetste[nrs]?"
        ),
        copula=r"ist|sind|war|wurde|wird|lautet|lauten|wäre|heißt|bleibt|kann nur|muss|dürfte|scheint|trifft",
        adverb=(
            r"daher|somit|also|demnach|eindeutig|wohl|wahrscheinlich|aber|jedoch|sicher|folglich|damit|deshalb|nur"
            r"|hier|zu|sein"
        ),
        wrong=(
            r"falsch|inkorrekt|unzutreffend|unwahrscheinlich|ausgeschlossen|ungeeignet|unpassend|auszuschließen"
            r"|scheidet aus"
        ),
        article=r"der|die|das|den|dem|eine?[nrms]?|des",
        choose=(
            r"(?:ich )?(?:wähle|nehme|tippe auf|entscheide mich für|plädiere für)|(?:ich )?würde(?= [A-Z]\b)"
            r"|fällt auf|spricht für"
        ),
        chosen=r"wählen|nehmen|ankreuzen|trifft zu|stimmt",
        most_likely=(
            r"(?:am )?wahrscheinlichste?[nrs]?|(?:am )?ehesten|nächste[nrs]?|erste Wahl|beste[nrs]?|häufigste[nrs]?"
        ),
        it_is=r"(?:es )?handelt (?:es )?sich (?:hier )?(?:um|am ehesten um)",
        therefore=(
            r"daher|somit|also|deshalb|folglich|demnach|daraus folgt|es bleibt|bleibt(?: nur| also)?|fazit"
            r"|insgesamt"
        ),
        because=r"weil|da|denn|aufgrund|wegen",
        but=r"aber|jedoch|sondern|doch|allerdings|während",
        conjunction=r"und|sowie",
        alternative=r"oder|bzw\.?|beziehungsweise",
        negation=r"nicht|keine?[nrms]?|weder|noch|niemals|nie|außer",
        doubt=(
            r"ob|zuerst|zunächst|anfangs|ursprünglich|vielleicht|möglicherweise|könnten?|eventuell|viele|manche"
            r"|studierende|studenten|statt|anstatt|anstelle|scheinbar|fälschlich\w*"
        ),
        condition=r"wenn|falls|sofern",
        modal=r"wäre|würde|könnte",
        preposition=r"an|in|im|mit|bei|für|von|vom|auf|durch|als|hat|hatte|liegt|besteht|nach|eher|spricht für",
        explanation=r"erklärung|begründung|erläuterung|grund",
        retraction=(
            r"moment|warte|halt|ich korrigiere|das war falsch|das stimmt nicht|doch nicht|ich habe mich geirrt"
        ),
        refusal=(
            r"(?:nicht|kaum) (?:eindeutig )?(?:zu )?(?:beantwort|bestimm|entscheid|ermittel|feststell|beurteil)\w*"
            r"|(?:weiß|wissen) (?:ich |wir )?(?:das |es )?(?:leider )?nicht|das weiß ich (?:leider )?nicht"
            r"|keine Ahnung"
            r"|kann (?:ich )?(?:\w+ ){0,6}?nicht (?:\w+ ){0,2}?(?:beantworten|sagen|bestimmen|entscheiden)"
            r"|(?:enthält|gibt|macht|liefert|finden sich|gibt es"
            r"|stehen) (?:\w+ ){0,3}?keine(?:rlei)? (?:\w+ )?(?:angaben?|informationen|hinweise?|aussagen?|antwort)"
            r"|(?:text|abschnitt|kontext|dokument|passage) (?:\w+ ){0,4}?nicht (?:erwähnt|genannt|angegeben|hervor"
            r"|enthalten)"
            r"|(?:nicht genügend|nicht genug|unzureichende|zu wenig|fehlende) (?:informationen|angaben)"
        ),
        copula_may_be_left_out=True,
    )
)
