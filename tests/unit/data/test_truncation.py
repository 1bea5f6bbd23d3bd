"""The truncation report counts what lies beyond a cut, token by token."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from medctx.errors import MedctxError
from medctx.io.jsonl import read_record
from medctx.schemas.records import Dialogue, Turn
from medctx.text import tokenizer as tokenizers
from medctx_data.cli import truncation as truncation_cli
from medctx_data.long_context.config import WrapConfig
from medctx_data.long_context.wording import evidence, kind_of
from medctx_data.long_context.wrap import wrap
from medctx_data.truncation.measure import DialogueSpans, Span, measure
from medctx_data.truncation.report import TruncationReport, truncation_by_source

spans = st.tuples(st.integers(0, 60), st.integers(1, 30)).map(lambda pair: Span(pair[0], pair[0] + pair[1]))
lengths = st.integers(1, 100)
measured = st.lists(
    st.builds(
        lambda source, tokens, answers, shown: DialogueSpans(
            source,
            tokens,
            tuple(span for span in shown if span.end <= tokens),
            tuple(span for span in answers if span.end <= tokens),
        ),
        st.sampled_from("ab"),
        lengths,
        st.lists(spans, max_size=1),
        st.lists(spans, max_size=2),
    ),
    max_size=12,
)


@given(dialogues=measured, maximums=st.lists(lengths, min_size=1, max_size=3))
@settings(max_examples=80, deadline=None)
def test_the_report_is_what_counting_token_by_token_gives(dialogues: list[DialogueSpans], maximums: list[int]) -> None:
    results = {row.source: row for row in truncation_by_source(dialogues, maximums)}
    assert list(results) == sorted({dialogue.source for dialogue in dialogues})
    for source, count in results.items():
        subset = [dialogue for dialogue in dialogues if dialogue.source == source]
        assert (count.dialogues, count.tokens) == (len(subset), sum(dialogue.tokens for dialogue in subset))
        assert [at.maximum for at in count.maximums] == sorted(set(maximums))
        for at in count.maximums:
            over = [dialogue for dialogue in subset if dialogue.tokens > at.maximum]
            assert (at.over, at.tokens_over) == (len(over), sum(dialogue.tokens for dialogue in over))
            assert at.tokens_cut == sum(dialogue.tokens - at.maximum for dialogue in over)
            for side in ("end", "start"):
                lost = [
                    set(range(at.maximum, long.tokens) if side == "end" else range(long.tokens - at.maximum))
                    for long in over
                ]
                cut = getattr(at, side)
                answers = [[set(range(*span)) for span in long.answers or ()] for long in over]
                shown = [[set(range(*span)) for span in long.evidence or ()] for long in over]
                assert cut.evidence == sum(
                    any(span & gone for span in span_set) for span_set, gone in zip(shown, lost, strict=True)
                )
                assert cut.answers == sum(
                    any(span & gone for span in answer) for answer, gone in zip(answers, lost, strict=True)
                )
                assert cut.answer_tokens == sum(
                    len(span & gone) for answer, gone in zip(answers, lost, strict=True) for span in answer
                )


def words(number: int, size: int) -> str:
    return " ".join(f"w{number}x{at}" for at in range(size))


def dialogue(number: int, question_words: int, answered: int) -> Dialogue:
    turns = (
        Turn(role="user", content=words(number, question_words)),
        Turn(role="assistant", content=f"a{words(number, answered)}"),
    )
    return Dialogue(id=f"d{number}", domain="medical", source="test", turns=turns)


def test_places_are_those_of_the_chat_template(tokenizer_folder: Path) -> None:
    """One token a word, and one each for the template's marks: <user> ... <end> <assistant> ... <end>."""
    tokenizer = tokenizers.load_tokenizer(tokenizer_folder)
    long, short = measure([dialogue(0, 5, 3), dialogue(1, 2, 1)], tokenizer, 8)
    assert long == DialogueSpans("test", 12, (Span(8, 11),), (Span(8, 11),))
    assert short == DialogueSpans("test", 7)


def test_the_evidence_of_a_wrapped_dialogue_lies_in_its_book(tokenizer_folder: Path) -> None:
    tokenizer = tokenizers.load_tokenizer(tokenizer_folder)
    config = WrapConfig(share=1, tokens=60, unanswerable=0.25, depths=(0, 1))
    out = list(wrap([dialogue(number, 4, 5) for number in range(40)], config, lambda text: len(text.split()), "s"))
    for entry, loss in zip(out, measure(out, tokenizer, 1), strict=True):
        (shown,), (answer,) = loss.evidence or (), loss.answers or ()
        assert answer == Span(loss.tokens - 6, loss.tokens - 1) or kind_of(entry) == "none"
        if kind_of(entry) == "none":
            assert shown == answer
        else:
            (begin, end) = evidence(entry)[0]
            before = len(entry.turns[0].content[:begin].split()) + 1
            assert shown == Span(before, before + 5) and end > begin
    ends = {at.end.evidence for row in truncation_by_source(measure(out, tokenizer, 50), [50]) for at in row.maximums}
    # Half of the 30 answerable ones have their evidence first, where a cut at the end spares it.
    assert ends == {25}


def test_turns_that_the_template_strips_are_found_and_changed_ones_refused(
    tmp_path: Path, tokenizer_folder: Path
) -> None:
    tokenizer = tokenizers.load_tokenizer(tokenizer_folder)
    loose = dialogue(0, 5, 3).model_copy(
        update={"turns": (Turn(role="user", content=" a b \n"), Turn(role="assistant", content="\n c d "))}
    )
    tokenizer.chat_template = "{% for m in messages %}<{{ m.role }}> {{ m.content | trim }} <end> {% endfor %}"
    assert list(measure([loose], tokenizer, 1)) == [DialogueSpans("test", 8, (Span(5, 7),), (Span(5, 7),))]
    tokenizer.chat_template = "{% for m in messages %}<{{ m.role }}> {{ m.content | upper }} <end> {% endfor %}"
    with pytest.raises(MedctxError, match="drops the text of the user turn"):
        list(measure([loose], tokenizer, 1))


@pytest.fixture
def mixed(tmp_path: Path, tokenizer_folder: Path) -> Path:
    """A mix of two sources, as the mix command writes it."""
    from medctx_data.cli import main as cli

    rows = {"general": [(3, 40), (3, 4)], "medical": [(30, 5), (3, 4)]}
    sources = []
    for domain, sizes in rows.items():
        path = tmp_path / f"{domain}.jsonl"
        lines = [
            {"instruction": words(at, question), "output": words(at + 9, answer)}
            for at, (question, answer) in enumerate(sizes)
        ]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        sources.append({"source": {"general": "alpaca", "medical": "medquad"}[domain], "path": str(path)})
    config = {"tokenizer": str(tokenizer_folder), "by": "examples", "examples": 4, "sources": sources}
    (tmp_path / "mix.yaml").write_text(json.dumps(config), encoding="utf-8")
    arguments = ["mix", "--config", str(tmp_path / "mix.yaml"), "--out", str(tmp_path / "mixed")]
    result = CliRunner().invoke(cli.main, arguments)
    assert result.exit_code == 0, result.output
    return tmp_path / "mixed"


def call(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(truncation_cli.command, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_shows_a_table_and_writes_the_report(mixed: Path, tokenizer_folder: Path, tmp_path: Path) -> None:
    code, shown, errors = call(mixed, "--tokenizer", tokenizer_folder, "--max", 20, 40, "--out", tmp_path / "out")
    assert code == 0, errors
    assert "alpaca" in shown and "medquad" in shown
    written = read_record(tmp_path / "out" / truncation_cli.FILE, TruncationReport)
    general, medical = written.sources
    assert (general.source, general.dialogues, general.tokens, general.longest) == ("alpaca", 2, 58, 47)
    assert [at.maximum for at in general.maximums] == [20, 40]
    at = general.maximums[0]
    assert (at.over, at.tokens_cut, at.tokens_over) == (1, 27, 47)
    # <user> 3 words <end> <assistant> 40 words <end>: 14 and 20 - 1 words of the answer are kept.
    assert (at.end.answer_tokens, at.start.answer_tokens) == (26, 21)
    assert (at.end.evidence, at.start.evidence) == (1, 1)
    at = medical.maximums[0]
    assert (at.end.answer_tokens, at.start.answer_tokens, at.start.evidence) == (5, 0, 0)
    assert call(mixed, "--max", 20)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [(["/nowhere"], "/nowhere does not exist"), (["MIX", "--tokenizer", "/nowhere"], "/nowhere does not exist")],
)
def test_trouble_is_one_sentence(mixed: Path, arguments: list[str], sentence: str) -> None:
    code, shown, errors = call(*(str(mixed) if argument == "MIX" else argument for argument in arguments))
    assert (code, shown) == (2, "")
    assert errors.startswith("error: ") and sentence in errors
