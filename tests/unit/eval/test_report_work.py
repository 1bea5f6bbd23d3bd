"""What a report over other harnesses' logs does once, and what it does not import."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

from medctx_eval.cli.main import main
from medctx_eval.interchange import json_lines, lm_eval_samples

ITEMS = 40


def _log(folder: Path, model: str, shift: int) -> Path:
    folder.mkdir()
    header = {"model_name": model, "lm_eval_version": "0.4.13"}
    (folder / "results_2026-01-01T00-00-00.000000.json").write_text(json.dumps(header), encoding="utf-8")
    lines = []
    for number in range(ITEMS):
        options = [f"option {number} {letter}" for letter in "abcd"]
        gold, chosen = number % 4, (number + (number % 3 == shift)) % 4
        lines.append(
            json.dumps(
                {
                    "doc_id": number,
                    "doc": {"id": f"q{number}", "question": f"Question {number}?", "choices": options},
                    "target": gold,
                    "arguments": {
                        f"gen_args_{place}": {"arg_0": f"Question {number}?", "arg_1": f" {text}"}
                        for place, text in enumerate(options)
                    },
                    "filtered_resps": [[-1.0 if place == chosen else -9.0, False] for place in range(4)],
                    "filter": "none",
                    "metrics": ["acc"],
                    "acc": float(gold == chosen),
                }
            )
        )
    (folder / "samples_ward_2026-01-01T00-00-00.000000.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture
def logs(tmp_path: Path) -> list[str]:
    return [str(_log(tmp_path / f"m{shift}", f"m{shift}", shift)) for shift in (0, 1)]


def test_every_log_is_parsed_once_and_every_figure_drawn_once_for_each_use(
    logs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: Counter[Path] = Counter()
    saved: Counter[tuple[int, str]] = Counter()
    figures: list[Figure] = []  # kept alive: an id is that of one figure only
    read, save = json_lines.read_objects, Figure.savefig

    def counted_read(path: Path) -> Iterator[dict[str, object]]:
        parsed[path] += 1
        return read(path)

    def counted_save(figure: Figure, *args: object, **keywords: object) -> None:
        figures.append(figure)
        saved[id(figure), str(keywords.get("format"))] += 1
        save(figure, *args, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(lm_eval_samples, "read_objects", counted_read)
    monkeypatch.setattr(Figure, "savefig", counted_save)
    out = tmp_path / "report"
    result = CliRunner().invoke(main, ["report", *logs, "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert len(parsed) == 2 and set(parsed.values()) == {1}
    drawn = sorted(path.stem for path in (out / "figures").glob("*.png"))
    assert drawn and {kind for _, kind in saved} == {"png", "svg"}
    for (_, kind), times in saved.items():
        assert times == (1 if kind == "png" else 2)  # an SVG file on white, and one without a ground in the page
    assert len(saved) == 2 * len(drawn)


def test_a_report_imports_no_library_that_its_contents_do_not_need(logs: list[str], tmp_path: Path) -> None:
    heavy = ("torch", "transformers", "statsmodels", "pandas", "scipy.stats", "scipy.signal")
    code = (
        "import sys; from medctx_eval.cli.main import main\n"
        f"main({['report', *logs, '--out', str(tmp_path / 'report')]!r}, standalone_mode=False)\n"
        f"print('imported:', [name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "imported: []"
