"""Words by which answers are stated, denied and refused in Portuguese."""

from medctx_eval.extract.languages.vocabulary import Vocabulary, patterns_of

PORTUGUESE = patterns_of(
    Vocabulary(
        answer=r"respostas?|gabarito|solução",
        option=r"opç(?:ão|ões)|alternativa|letra|item|escolha|assertiva",
        right=(
            r"corret[ao]s?|cert[ao]s?|final|melhor|adequad[ao]|verdadeir[ao]|mais (?:provável|adequad[ao]"
            r"|apropriad[ao]|corret[ao])"
            r"|apropriad[ao]|únic[ao]|minha|exata"
        ),
        copula=r"é|são|foi|era|está|estão|seria|será|deve ser|parece ser|corresponde a|trata-se de|fica",
        adverb=r"portanto|então|assim|claramente|provavelmente|certamente|logo|apenas|somente|sem dúvida",
        wrong=r"incorret[ao]s?|errad[ao]s?|fals[ao]s?|improvável|pouco provável|descartad[ao]|inadequad[ao]",
        article=r"o|a|os|as|um|uma|ao|à|da|do",
        choose=(
            r"escolho|escolheria|escolher|seleciono|marco|marcaria|opto por|optaria por|(?:eu )?fico com|assinalo"
            r"|voto em|voto por"
        ),
        chosen=r"responde corretamente|se encaixa",
        most_likely=(
            r"mais (?:provável|adequad[ao]|apropriad[ao]|frequente|comum|indicad[ao]|corret[ao])|de escolha|melhor"
        ),
        it_is=r"trata-se de|se trata de",
        therefore=(
            r"resta|sobra|portanto|logo|assim|então|em conclusão|conclusão|por conseguinte|em resumo|desse modo"
        ),
        because=r"porque|pois|já que|uma vez que|visto que|devido a",
        but=r"mas|porém|contudo|enquanto|embora|e sim",
        conjunction=r"e|bem como",
        alternative=r"ou|e/ou",
        negation=r"não|nem|nunca|nenhum[a]?|exceto|tampouco",
        doubt=(
            r"talvez|inicialmente|a princípio|poderiam?|possivelmente|muitos|alguns|estudantes|em vez de"
            r"|ao invés de|dúvida|descart\w+"
        ),
        condition=r"se|caso|a menos que",
        modal=r"seria|poderia",
        preposition=r"de|da|do|em|no|na|com|por|para|tem|apresenta|sugere|indica|sofre|como",
        explanation=r"explicação|justificativa|razão|raciocínio|motivo|comentário",
        retraction=r"espere|espera|um momento|me enganei|corrijo|isso está errado|isso não está certo",
        refusal=(
            r"não (?:\w+ ){0,2}?(?:possível|posso|pode|podemos|consigo|dá para) (?:\w+ ){0,2}?(?:determin|respond"
            r"|saber|conclu|decid|afirm|inferi|ajud|fornec)\w*"
            r"|não (?:o )?(?:sei|sabemos|conheço)(?!\w)|impossível (?:\w+ )?(?:determinar|responder|saber)"
            r"|(?:texto|trecho|passagem|contexto|documento|artigo) não (?:\w+ )?(?:menciona|indica|contém"
            r"|especifica|fornece|diz|inclui|informa|traz)"
            r"|não (?:há|existem|existe|tem|é|são|foi) (?:\w+ ){0,2}?(?:informaç|mencionad|especificad)\w*"
            r"|informações insuficientes|faltam informações"
        ),
    )
)
