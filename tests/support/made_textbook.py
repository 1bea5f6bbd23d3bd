"""A made checkout of a textbook in the publisher's form: two chapters and a preface, all of it fiction."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

COLLECTION = """<col:collection xmlns="http://cnx.rice.edu/collxml" xmlns:md="http://cnx.rice.edu/mdml"
    xmlns:col="http://cnx.rice.edu/collxml">
  <metadata><md:title>Kites {edition}</md:title>
    <md:license url="http://creativecommons.org/licenses/{licence}/4.0/">some words</md:license></metadata>
  <col:content>
    <col:module document="m1"/>
    <col:subcollection><md:title>Part</md:title><col:content>
      <col:subcollection><md:title>Making</md:title><col:content>
        <col:module document="m3"/><col:module document="m2"/></col:content></col:subcollection>
      <col:subcollection><md:title>Flying</md:title><col:content>
        <col:module document="m4"/></col:content></col:subcollection>
    </col:content></col:subcollection>
  </col:content>
</col:collection>
"""
MODULE = """<document xmlns="http://cnx.rice.edu/cnxml" xmlns:m="http://www.w3.org/1998/Math/MathML">
  <title>{title}</title>
  <metadata xmlns:md="http://cnx.rice.edu/mdml"><md:title>{title}</md:title>
    <md:abstract>By the end you will know kites.</md:abstract></metadata>
  <content>{content}</content>
  <glossary><definition id="g"><term>kite</term><meaning>a toy on a line</meaning></definition></glossary>
</document>
"""
STRUCTURE = """
<para id="p1">A <term id="t">kite</term> has a frame
   of <emphasis effect="italics">ash</emphasis> (<link target-id="f1" document=""/> <emphasis>a</emphasis>).</para>
<figure id="f1"><title>Frame</title><media alt="drawing of a frame"><image src="f.jpg"/></media>
   <caption>The frame as a drawing.</caption></figure>
<section id="s1"><title>Lines</title>
  <para id="p2">The line is made of H<sub>2</sub>O-proof hemp, see <link target-id="tab">the list</link>
    and <link document="m99"/>.</para>
  <list id="l1"><item>strong</item><item>light</item></list>
  <table id="tab"><title>Knots</title><tgroup cols="2"><thead><row><entry>Knot</entry><entry>Use</entry></row></thead>
    <tbody><row><entry>Bowline</entry><entry>bridle</entry></row></tbody></tgroup></table>
  <note id="n1" class="link-to-learning"><label>Link</label><title>Wind</title><para>Wind lifts.</para></note>
  <equation id="e"><m:math><m:mrow><m:mtext>L</m:mtext><m:mo>=</m:mo><m:mfrac><m:mi>F</m:mi><m:mi>A</m:mi></m:mfrac>
    </m:mrow></m:math></equation>
</section>
<section id="s2" class="summary"><title>Chapter Review</title><para>Kites need a frame and a line.</para></section>
"""


def exercise(name: str, question: str, options: list[str], solution: str) -> str:
    listed = "".join(f"<item>{option}</item>" for option in options)
    listed = f'<list list-type="enumerated">{listed}</list>' if options else ""
    solved = f"<solution><label/><para>{solution}</para></solution>" if solution else ""
    return f'<exercise id="{name}"><problem><para>{question}</para>{listed}</problem>{solved}</exercise>'


QUESTIONS = "".join(
    [
        '<section class="multiple-choice"><title>Review Questions</title>',
        exercise("q1", "The frame is made of ________.", ["pine", "ash", "steel", "all of the above"], "B"),
        exercise("q2", "Which formula is right?", ["<m:math><m:mtext>L</m:mtext></m:math>", "H<sub>2</sub>O"], "a."),
        exercise("q3", "Name two knots.", [], "Bowline and hitch."),
        exercise("q4", "Which?", ["one", "two"], ""),
        exercise("q5", "Which?", ["one", "two"], "C"),
        exercise("q6", "Which?", ["one", "two"], "A and B"),
        exercise("q7", 'Look at <link target-id="f1"/>. What is it?', ["one", "two"], "A"),
        exercise("q8", "Which?", ["one", "One"], "A"),
        exercise("q9", '<link class="os-embed" url="#exercise/kites-1"/>', [], ""),
        "</section>",
    ]
)


def files(edition: str = "2e", licence: str = "by", name: str = "psychology-2e") -> dict[str, str]:
    def module(title: str, content: str) -> str:
        return MODULE.format(title=title, content=content)

    return {
        f"collections/{name}.collection.xml": COLLECTION.format(edition=edition, licence=licence),
        "META-INF/books.xml": "<container/>",
        "modules/m1/index.cnxml": module("Preface", "<para>Thanks to all.</para>"),
        "modules/m2/index.cnxml": module("Structure", STRUCTURE + QUESTIONS),
        "modules/m3/index.cnxml": module("Introduction", "<para>Kites are old.</para>"),
        "modules/m4/index.cnxml": module(
            "Wind", f"<para>Wind blows.</para>{exercise('q1', 'What blows?', ['wind', 'rain'], 'A')}"
        ),
    }


def write_folder(folder: Path, held: dict[str, str]) -> Path:
    for name, text in held.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


def archive(held: dict[str, str], root: str = "book-0a1b2c/") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as packed:
        for name, text in held.items():
            member = tarfile.TarInfo(root + name)
            member.size = len(text.encode())
            packed.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()
