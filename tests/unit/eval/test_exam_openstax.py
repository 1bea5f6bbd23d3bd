"""The OpenStax builder on a made checkout, on its archive over HTTP, and on the row files where they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx.facts.curriculum import CurriculumConfig
from medctx_eval.exams import registry
from medctx_eval.exams.config import ExamConfig
from medctx_eval.exams.exam import Exam
from medctx_eval.exams.published import openstax
from medctx_eval.exams.published.cnxml import parse_module
from medctx_eval.exams.published.openstax_book import BOOKS
from tests.support.made_textbook import MODULE, archive, exercise, files, write_folder
from tests.support.paths import REAL_DATA
from tests.support.publisher import published

PSYCHOLOGY = "openstax-psychology"


@pytest.fixture
def exam(tmp_path: Path) -> Exam:
    return registry.build_exam(ExamConfig(exam=PSYCHOLOGY, path=write_folder(tmp_path, files())), CurriculumConfig(), 0)


def test_the_text_of_a_section_is_kept_without_pictures_and_questions(exam: Exam) -> None:
    assert exam.by_id["psychology-2e/m2"].text == "\n".join(
        [
            "# Structure",
            "",
            "A kite has a frame of ash (Figure a).",
            "",
            "## Lines",
            "The line is made of H2O-proof hemp, see the list and.",
            "- strong",
            "- light",
            "Knots",
            "Knot | Use",
            "Bowline | bridle",
            "Wind",
            "Wind lifts.",
            "L = F/A",
            "",
            "## Chapter Review",
            "Kites need a frame and a line.",
        ]
    )


def test_passages_are_in_reading_order_without_the_preface(exam: Exam) -> None:
    names = [f"psychology-2e/{module}" for module in ("m3", "m2", "m4")]
    assert [passage.id for passage in exam.passages] == names
    assert [passage.title for passage in exam.passages] == ["Introduction", "Structure", "Wind"]
    assert [passage.facts for passage in exam.passages] == [(name,) for name in names]


def test_a_question_becomes_an_item_on_its_section(exam: Exam) -> None:
    items = {item.id: item for item in exam.items}
    assert set(items) == {f"psychology-2e/{name}" for name in ("m2/q1", "m2/q2", "m4/q1")}
    item = items["psychology-2e/m2/q1"]
    assert item.question == "The frame is made of ________."
    assert item.options == {"A": "pine", "B": "ash", "C": "steel", "D": "all of the above"}
    assert item.gold == ("B",)
    assert item.evidence == (item.cluster,) == ("psychology-2e/m2",)
    assert item.rivals == ("psychology-2e/m3",)  # of its chapter
    assert item.tags == {"chapter": "Making", "subject": "Structure"}
    assert items["psychology-2e/m2/q2"].options == {"A": "L", "B": "H2O"}
    assert items["psychology-2e/m2/q2"].gold == ("A",)


def test_every_question_is_kept_or_counted_by_its_reason(exam: Exam) -> None:
    assert exam.card.dropped == {
        openstax.OPEN_QUESTION: 1,
        openstax.NO_SOLUTION: 1,
        openstax.UNCLEAR: 2,
        openstax.PICTURED: 1,
        openstax.BLANK: 1,
        openstax.ELSEWHERE: 1,
    }
    assert sum(exam.card.dropped.values()) + exam.card.items == 10


@pytest.mark.parametrize(("name", "domain"), [("openstax-anatomy", "medical"), ("openstax-psychology", "general")])
def test_the_card_names_the_licence_of_this_revision(tmp_path: Path, name: str, domain: str) -> None:
    for licence, stated in [("by", "CC BY 4.0"), ("by-nc-sa", "CC BY-NC-SA 4.0")]:
        held = files(licence=licence, name=BOOKS[name].collections[0])
        built = registry.build_exam(
            ExamConfig(exam=name, path=write_folder(tmp_path / licence, held)), CurriculumConfig(), 0
        )
        assert built.card.licence == stated
        assert {item.licence for item in built.items} == {stated}
        assert (built.card.domain, built.card.name) == (domain, name)
        assert "Kites 2e" in built.card.source


def test_an_earlier_edition_is_read_where_a_revision_has_no_later_one(tmp_path: Path) -> None:
    held = files(edition="", name="anatomy-and-physiology")
    built = registry.build_exam(
        ExamConfig(exam="openstax-anatomy", path=write_folder(tmp_path, held)), CurriculumConfig(), 0
    )
    assert "OpenStax Kites," in built.card.source
    assert built.items[0].id.startswith("anatomy-physiology-2e/")


def test_an_archive_reads_as_its_checkout(tmp_path: Path, exam: Exam) -> None:
    path = tmp_path / "book.tar.gz"
    path.write_bytes(archive(files()))
    assert registry.build_exam(ExamConfig(exam=PSYCHOLOGY, path=path), CurriculumConfig(), 0) == exam


def test_it_is_fetched_at_the_default_revision_and_at_one_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exam: Exam
) -> None:
    book = BOOKS[PSYCHOLOGY]
    with published(tmp_path, monkeypatch) as server:
        monkeypatch.setattr(openstax, "ARCHIVE", server.url + "/{repository}/{revision}.tar.gz")
        for revision in (book.revision, "v2"):
            server.plain[f"/{book.repository}/{revision}.tar.gz"] = archive(files())
        default = registry.build_exam(ExamConfig(exam=PSYCHOLOGY), CurriculumConfig(), 0)
        built = registry.build_exam(ExamConfig(exam=PSYCHOLOGY, revision="v2"), CurriculumConfig(), 0)
    assert (default.card.revision, built.card.revision) == (book.revision, "v2")
    assert default.items == built.items == exam.items


def test_the_order_of_sections_follows_the_seed_and_their_questions_stay_together(tmp_path: Path) -> None:
    config = ExamConfig(exam=PSYCHOLOGY, path=write_folder(tmp_path, files()))
    orders = {
        tuple(item.id for item in registry.build_exam(config, CurriculumConfig(), seed).items) for seed in range(8)
    }
    m2, m4 = ("psychology-2e/m2/q1", "psychology-2e/m2/q2"), ("psychology-2e/m4/q1",)
    assert orders == {(*m2, *m4), (*m4, *m2)}
    assert registry.build_exam(config, CurriculumConfig(), 3) == registry.build_exam(config, CurriculumConfig(), 3)


def test_a_revision_whose_questions_lie_elsewhere_is_an_error_that_names_one_that_has_them(tmp_path: Path) -> None:
    held = files()
    linked = MODULE.format(
        title="T",
        content='<para>x</para><exercise id="e"><problem><para><link class="os-embed" url="#exercise/k"/></para>'
        "</problem></exercise>",
    )
    held |= {name: linked for name in held if name.startswith("modules/")}
    with pytest.raises(MedctxError, match=rf"3 {openstax.ELSEWHERE}.*{BOOKS[PSYCHOLOGY].revision}"):
        registry.build_exam(ExamConfig(exam=PSYCHOLOGY, path=write_folder(tmp_path, held)), CurriculumConfig(), 0)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("modules/m2/index.cnxml", None, "lacks modules/m2/index.cnxml"),
        ("modules/m2/index.cnxml", "<document>", "The module m2 is not XML"),
        ("collections/psychology-2e.collection.xml", None, "holds no collection psychology-2e"),
        ("collections/psychology-2e.collection.xml", "{", "is not XML"),
    ],
)
def test_what_is_wrong_with_a_checkout_is_one_sentence(
    tmp_path: Path, name: str, text: str | None, message: str
) -> None:
    held = files()
    if text is None:
        del held[name]
    else:
        held[name] = text
    with pytest.raises(MedctxError, match=r"^[^\n]+$") as caught:
        registry.build_exam(ExamConfig(exam=PSYCHOLOGY, path=write_folder(tmp_path, held)), CurriculumConfig(), 0)
    assert message in str(caught.value)


def test_a_file_that_is_no_archive_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "book.tar.gz"
    path.write_bytes(archive(files())[:400])
    with pytest.raises(MedctxError, match="is neither a checkout nor an archive"):
        registry.build_exam(ExamConfig(exam=PSYCHOLOGY, path=path), CurriculumConfig(), 0)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("<m:msub><m:mtext>CO</m:mtext><m:mtext>2</m:mtext></m:msub>", "CO2"),
        ("<m:mrow> <m:mtext>A</m:mtext>\n <m:mo>\u2194</m:mo> <m:mtext>B</m:mtext></m:mrow>", "A \u2194 B"),
        ("<m:mfrac><m:mn>1</m:mn><m:mrow><m:mn>2</m:mn><m:mi>n</m:mi></m:mrow></m:mfrac>", "1/2n"),
    ],
)
def test_formulas_are_read_in_one_line(formula: str, message: str) -> None:
    content = f"<para>is <m:math>{formula}</m:math>.</para>"
    assert parse_module("m", MODULE.format(title="T", content=content).encode()).text == f"is {message}."


def test_a_list_inside_a_paragraph_is_part_of_its_sentence() -> None:
    content = "<para>There are: <list><item>one</item><item>two</item></list>and no more.</para>"
    assert (
        parse_module("m", MODULE.format(title="T", content=content).encode()).text == "There are: one; two and no more."
    )


def test_options_inside_the_paragraph_of_the_question_are_not_part_of_it() -> None:
    content = (
        '<exercise id="e"><problem><para>Which? <list><item>x</item><item>y</item></list></para></problem>'
        "<solution><para>B</para></solution></exercise>"
    )
    (result,) = parse_module("m", MODULE.format(title="T", content=content).encode()).exercises
    assert (result.question, result.options, result.solution) == ("Which?", ("x", "y"), "B")


def test_a_section_of_exercises_alone_leaves_nothing() -> None:
    content = f"<para>Text.</para><section><title>Critical Thinking</title>{exercise('e', 'Why?', [], 'So.')}</section>"
    assert parse_module("m", MODULE.format(title="T", content=content).encode()).text == "Text."


@pytest.mark.parametrize(("name", "count"), [("anatomy", 708), ("psychology", 311)])
@pytest.mark.parametrize("key", ["path", "items"])
def test_the_row_files_are_still_read(name: str, count: int, key: str) -> None:
    items, books = (REAL_DATA / f"openstax_{name}_{kind}.jsonl.gz" for kind in ("items", "books"))
    if not items.is_file():
        pytest.skip(f"the real file {items} is not on this machine")
    config = ExamConfig.model_validate({"exam": f"openstax-{name}", key: items, "passages": books})
    built = registry.build_exam(config, CurriculumConfig(), 0)
    assert built.card.items == count
    assert all(evidence in built.by_id for item in built.items for evidence in item.evidence)
