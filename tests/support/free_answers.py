"""Options of questions in several languages, and what free answers are made of."""

from __future__ import annotations

import json
from pathlib import Path


def lettered(*texts: str) -> dict[str, str]:
    return dict(zip("ABCDEFGHIJ", texts, strict=False))


OPTIONS = {
    name: lettered(*texts)
    for name, texts in json.loads(Path(__file__).with_name("answer_options.json").read_text(encoding="utf-8")).items()
}


DRUGS = OPTIONS["drugs"]


ZH_DRUGS = OPTIONS["zh_drugs"]


PIECES = (
    "A|B|C|D|E|F|G|I|a|b|i|AC|A and B|A/B|Aspirin|heparin|阿司匹林|yes|1|The answer is|Answer:|is correct|is wrong|not"
    "|or|if|wait,|I cannot tell|I think|答案|故选|不选|正确|无法判断|或|\\boxed{|}|{|<think>|</think>|<answer>|**|(|)|."
    "|,|:|、|。|?|-|\n| "
).split("|")
