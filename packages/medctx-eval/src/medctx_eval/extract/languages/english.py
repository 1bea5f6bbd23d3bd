"""How answers are stated, denied and refused in English."""

from __future__ import annotations

from medctx_eval.extract.languages.language import Language


def _words(alternatives: str) -> str:
    """Return a group of alternatives separated by ``|``; a blank matches any white space."""
    return f"(?:{alternatives})".replace(" ", r"\s+")


_RIGHT = _words(
    "correct|right|best|final|true|proper|single|only|overall|my|our|chosen|selected|suitable|appropriate|likely"
    "|accurate|preferred|most (?:likely|probable|appropriate|accurate|suitable|fitting|correct|plausible)"
)
_ANSWER = rf"\b(?:{_RIGHT}\s+){{0,4}}(?:answers?(?:\(s\))?(?:\s+(?:choice|option|letter|key)s?\b)?)"
_OPTION = rf"\b(?:{_RIGHT}\s+){{1,4}}(?:option|choice|response|selection|pick|alternative|letter|one)s?\b(?:\(s\))?"
_ABOUT = r"(?:\s+(?:to|for|of|here|in|among|from|based|given|that|which|you|we)\b[^.:;\n?!]{0,80}?)?"
_IS = _words(
    "is|are|was|remains?|becomes?|(?:would|should|must|will|(?:can|could) only) be|(?:has|have) to be"
    "|(?:seems?|appears?) to be|stands (?:out )?as|represents"
)
_ADVERBS = _words(
    "therefore|thus|hence|clearly|likely|most likely|most probably|probably|definitely|certainly|still|then|indeed"
    "|actually|simply|obviously|now|also|in fact|indicated by|given by|best|only"
)
_WRONG = _words(
    "wrong|incorrect(?:ly)?|false|unlikely|excluded|eliminated|ruled out|inappropriate|contraindicated|invalid|untrue"
    "|inaccurate"
)

_CANNOT = r"(?:can\s?not|can't|could\s+not|couldn't)"
_TO_ANSWER = (
    r"(?:answer|determine|tell|say|decide|conclude|infer|know|identify|establish|ascertain|deduce|judge|choose"
    r"|derive)"
)
_ANSWERED = (
    r"(?:answered|determined|inferred|known|concluded|decided|deduced|ascertained|established|judged|told|derived)"
)
_SOURCE = _words(
    "text|passage|book|documents?|article|context|records?|reports?|notes?|information|excerpt|materials?|sources?"
    "|letter|vignette|stem|case|scenario|chapter|section|abstract|question|options?|page"
)
_NEEDED = r"(?:information|context|details?)"
_NO_ANSWER = (
    rf"(?:{_CANNOT}\s+be\s+(?:\w+ly\s+)?{_ANSWERED}|none\s+of\s+the\s+(?:options|answers"
    rf"|choices)\s+can\s+be\s+{_ANSWERED}"
    rf"|(?:not\s+enough|insufficient)\s+(?:{_NEEDED}|evidence|data)|unanswerable|not\s+answerable"
    r"|I\s+(?:do\s+not|don't)\s+know)\b"
)

ENGLISH = Language(
    cues=(
        rf"(?:{_ANSWER}|{_OPTION}){_ABOUT}[\"')\]]*(?:\s*(?:\b{_IS}\b|[:=]|-*>|-(?=\s))|[^\S\n]*\n)"
        rf"[\s:]*(?:{_ADVERBS}\b[\s,:]*){{0,4}}"
        r"|^q(?:uestion)?\s*[:.][^\n]*\n+a\s*[:.]\s*|\bans\b\.?\s*[:=-]?\s*|^(?:option|choice|response|result"
        r"|conclusion|pick|letter|correct|right|best|final)\s*[:=]\s*|\bletter\s+is\s+"
        r"|\b(?:choos(?:e|ing)|chose|pick(?:ed|ing)?|select(?:ed|ing)?|(?:opt|vote|opting|voting)\s+for"
        r"|(?:go|going|went)\s+(?:with|for)|settl(?:e|ed|ing)\s+(?:on|for)"
        r"|(?:I|I'd|I'll|would|will|we|must|should)\s+answer(?:\s+with)?"
        r"|(?:correspond(?:s|ing)?\s+to|match(?:es|ing)|point(?:s|ing)?\s+to)\s+(?:option|choice|answer|letter))\s+"
        r"|\b(?:chang|switch|revis|updat)\w+\s+(?:my\s+)?(?:final\s+)?answer\s+to\s+"
        r"|\bnot\s+(?:option\s+)?\(?(?-i:[A-Z])\)?,?\s+but\s+(?:rather\s+)?"
        r"|\b(?:answer|option|choice)s?\s+(?:seems?|appears?)\s+to\s+be\s+"
    ),
    conclusions=(
        r"\b(?:therefore|thus|hence|so|consequently|accordingly|in\s+conclusion|in\s+summary|overall|finally"
        r"|conclusion"
        r"|wait|actually|answer|no(?=,))\b[,:]?[^\S\n]*(?:(?:it|that|this|which)(?:'s|\s+is|\s+(?:must|should"
        r"|has\s+to)\s+be)\s+)?"
        rf"|\b(?:it|that|this)(?:'s|\s+is|\s+(?:must|should|would|has\s+to)\s+be)\s+(?:{_ADVERBS}\s+){{0,4}}"
        r"|^(?:(?:most\s+)?(?:likely|probably)|definitely|certainly|clearly|surely|(?:must|should|would"
        r"|has\s+to)\s+be)\s+"
        r"|\b(?:I|I'd|would|we)\s+(?:say|guess|conclude|suggest|lean\s+towards?)\s+(?:that\s+)?(?:it(?:'s|\s+is)\s+)?"
        r"|\b(?:leav(?:es|ing)(?:\s+us\s+with)?|left\s+with)\s+(?:only\s+)?"
    ),
    findings=(
        r"\b(?:most\s+(?:likely|probable|appropriate|accurate|suitable|common|important|probably)|(?:next\s+)?best"
        r"|correct"
        rf"|likely|underlying|recommended|preferred|first-line)\s+(?:(?!{_WRONG}\b|(?:not|mistake|error"
        rf"|distractor)\b)[\w'-]+\s+){{1,6}}?{_IS}\s+(?:{_ADVERBS}\s+){{0,4}}:?\s*"
    ),
    stated_after=(
        rf"[\s,]*(?:{_IS}|=)\s+(?:{_ADVERBS}\s+){{0,4}}(?:the|our|my)\s+(?:{_RIGHT}\s+){{0,4}}"
        r"(?:answers?|option|choice|one|solution|selection|response)\b"
        r"(?!\s+(?:that\s+)?(?:most|many|some|students?|people)\b)"
    ),
    asserted_after=(
        r"\s*(?:✓|(?:correct|right|true)(?=\s*$)|[-:(]\s*(?:this\s+is\s+)?(?:the\s+)?(?:correct|right|✓)(?!\w)"
        rf"|,?\s*(?:{_IS})\s+(?:(?:{_ADVERBS}|all|both)\s+){{0,4}}"
        r"(?:an?\s+)?(?:(?:the\s+)?(?:correct|right|true|accurate|best)|(?:the\s+)?most\s+"
        r"(?:likely|probable|appropriate|accurate|suitable|consistent|plausible))\b"
        r"|(?:fits?|matches|describes|explains|answers|suits)\s+(?:\w+\s+)?best\b|(?:best|most\s+closely|correctly"
        r"|accurately)\s+(?:fits?|match(?:es)?|describes?|explains?|answers?|reflects?)\b)"
        rf"(?!\s+{_WRONG}\b)"
    ),
    clause=(
        r"[,;:\n]|[.!?](?=\s|$)|\b(?:so|therefore|thus|hence|but|and|because|since|then|whereas|while|however)\b"
        r"|\s-\s"
    ),
    denied_before=(
        r"\b(?:not|never|cannot|neither|nor|none\s+of|no\s+reason|doubt\w*|if|whether|unless|suppos\w+|assum\w+"
        r"|imagine"
        r"|tempt\w+|initially|originally|at\s+first|was\s+(?:going|about)\s+to|first\s+(?:thought|instinct|guess)"
        r"|mistak\w+|avoid\w*|instead\s+of|rather\s+than|erroneous\w*|incorrectly|wrongly|students?"
        r"|(?:some|many|most)\s+(?:people|students|may|might|would|will|could)|(?:one|you|people)\s+(?:may|might"
        r"|could)"
        r"|could|might|may)\b|n't\b"
        r"|\b(?:wrong|incorrect|false|other|another|second|possible|plausible|alternative|common|next|each|every"
        r"|any|bad)\s*\Z"
    ),
    denied_after=(
        r"[\"')\]]*(?:,[^,.;\n]{1,60},|,?\s*which)?\s*(?:-\s*)?(?:(?:is|are|was|were|seems?|appears?|can|could"
        r"|would|should|may|has|do|does)\b"
        rf"\s*)?(?:(?:also|both|all|clearly|therefore|likely|most|very|probably|definitely|be|to\s+be)\s+){{0,6}}"
        rf"(?:✗|[:(]\s*(?:✗|incorrect|wrong|false)\b|not\b(?!\s+(?-i:[A-Z])\b)|{_WRONG}\b|(?:is|are|was|were|ca"
        rf"|could|would|should|does|do)n't\b|cannot\b|less\s+likely\b"
        r"|(?:only\s+)?(?:if|unless)\b)"
    ),
    modal=r"\b(?:would|could|might|may)\b",
    condition=r"\b(?:if|unless|in\s+case)\b",
    naming=(
        r"(?:the|an?)\s+(?=\w)|(?:both|either|only|just|(?:option|choice|letter|answer)s?|number"
        r"|item)\b[\s:.\"'(\[-]*"
    ),
    follows=(
        r"\s+(?:because|since|as|and|or|but|is|are|was|would|seems?|appears?|which|that|due|based|for|from|in|on"
        r"|with|by|plus"
        r"|according|the|this|it|so|therefore|thus|not|best|most|only|correctly|accurately|rather|instead|alone)\b"
        r"|\s+(?:fits|stands|matches)\b|\s+(?:correct|incorrect|wrong|right|true|false)(?=\s*$)"
        r"|\s+(?-i:Explanation|Rationale|Reason(?:ing)?|Justification|Because)\b"
    ),
    option_noun=r"option|choice",
    verb=r"\s+(?:is|are|was|were|would|seems?|appears?|does|has|can|could|may|might)\b",
    because=r",?\s+(?:because|since|as)\b",
    rejected=r"(?:this\s+(?:option\s+)?is\s+)?(?:(?:incorrect|wrong|false|no)\b|not\b(?!\s+(?-i:[A-Z])\b))",
    conjunction=r"(?:and|or|plus)\b(?!\s*not\b)",
    statement_end=(
        r",\s*(?:because|since|as|not|given|which|I|I'm)\b|\s+(?:rather\s+than|instead\s+of|and\s+not|not)\b"
    ),
    joins=r"\s*(?:,?\s*\band\b|,?\s*\bas\s+well\s+as\b|,?\s*\bplus\b|[,;&+、])\s*(?:and\s+|also\s+|&\s*)?",
    chooses=r"\s*,?\s*(?:\band\s*/\s*or\b|\bor\b|/)\s*",
    before_mention=(
        r"(?:^|[.,;:!?(\[\"'\n-]|\b(?:is|was|are|were|be|a|an|the|of|with|to|by|for|has|have|had|as|in|on|from"
        r"|towards?|and"
        r"|give|given|start|use|take|prescribe|administer|perform|order|suggests?|indicates?|indicating|suggesting"
        r"|causes?"
        r"|caused|likely|probably|called|named|termed|diagnose|namely|likely:|develop(?:ed|s)?|this|that|therefore"
        r"|thus"
        r"|recommend|receive|favou?rs?|try|supports?|means|both|only|via|through|at|it's|get))\s*\Z"
    ),
    after_mention=(
        r"\s*(?:$|[.,;:!?)(\]\"'\n-]|\b(?:is|was|are|were|because|as|since|given|due|and|which|that|in|with|of|by|for"
        r"|from|on|to|at|based|would|should|has|will|when|here|causes?|the|this|remains|seems|appears|fits|best"
        r"|therefore)\b)"
    ),
    doubted=(
        r"\b(?:not|no|never|neither|nor|none|without|cannot|if|unless|whether|or|could|might|may|possibl[ey]"
        r"|perhaps|rule[sd]?"
        r"|ruling|exclud\w+|eliminat\w+|avoid\w*|rather|instead|versus|less|differential|except|but|however"
        r"|although|though"
        rf"|contrary|doubt\w*|lacks?|absence|suppos\w+|consider\w*|{_WRONG})\b|n't\b"
    ),
    retracts=(
        r"(?:^|[.!?;,\n-]\s*)(?:(?:oh|hmm+|but|no)\b[,.\s]*)?(?:wait(?=[,.!]|\s+-|\s+no\b)|scratch\s+that"
        r"|on\s+second\s+thoughts?"
        r"|let\s+me\s+re-?\s?(?:consider|think|evaluate)|I\s+(?:made\s+a\s+mistake|was\s+wrong|take\s+(?:that"
        r"|it)\s+back)"
        r"|(?:no|actually),?\s+(?:no\b|(?:that|this|it)(?:'s|\s+is|\s+was)\s+(?:wrong|incorrect|not\s+(?:right"
        r"|correct))))"
    ),
    explains=r"\W*(?:explanation|rationale|reason(?:ing|s)?|justification|why|analysis)\b",
    refusals=(
        rf"{_NO_ANSWER}|(?:^|[.!?,;\n]\s*|\b(?:I|we|one|you)\s+){_CANNOT}\s+(?:\w+ly\s+)?(?:{_TO_ANSWER}|assist"
        rf"|help|provide|give)\b"
        rf"|\b(?:unable|not\s+able|impossible|not\s+possible)\s+to\s+(?:\w+ly\s+)?(?:{_TO_ANSWER}|assist|help"
        rf"|provide|give)\b"
        r"|\b(?:I\s+(?:do\s+not|don't)\s+(?:really\s+|actually\s+)?(?:know|have)|I(?:'m|\s+am)\s+(?:not\s+(?:sure"
        r"|certain)"
        r"|unsure|uncertain)|(?:have\s+)?no\s+idea|(?:unknown|unclear|not\s+(?:known|clear))\s+from)\b"
        rf"|\b(?:no|lacks?|lacking|without|(?:does|do)\s+not\s+(?:have|contain)\s+(?:enough"
        rf"|any))\s+(?:\w+\s+){{0,2}}{_NEEDED}\b"
        rf"|\b{_SOURCE}\b[^.!?\n]{{0,60}}?\b(?:(?:do(?:es)?|did)\s+not|(?:do(?:es)?|did)n't|fails?\s+to|never)\s+"
        r"(?:\w+ly\s+)?(?:mention|contain|provide|specify|state|say|give|include|address|discuss|tell|describe"
        r"|indicate|report)"
        r"|\b(?:is|are|was|were)(?:\s+not|n't)\s+(?:\w+ly\s+)?(?:(?:mentioned|stated|specified)\b"
        rf"|(?:provided|given|available|included|found|described|reported|discussed)\b[^.!?\n]{{0,40}}\b{_SOURCE}\b)"
        r"|^(?:answer\W*)?(?:unknown|n/?a|not\s+applicable)\W*$"
    ),
    refuses=rf"(?:(?:the|this)\s+)?(?:question\s+|answer\s+|it\s+)?{_NO_ANSWER}",
)
