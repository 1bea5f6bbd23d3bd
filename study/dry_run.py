"""What a study would do, in words: cells, trained tokens, exam, and which steps are done already."""

from __future__ import annotations

from study.config import StudyConfig
from study.grid import cells as cells_of
from study.sections import section

# Trained tokens per second of SmolLM2-135M with LoRA on two cores (DECISIONS.md); other models and machines differ.
TOKENS_PER_SECOND = 270


def describe(config: StudyConfig) -> str:
    """A few lines for a person; nothing is read but the config."""
    cells = [cell for cell in cells_of(config) if cell.trained]
    lines = [
        f"study       {config.name}: {config.title}",
        f"base        {config.base}",
        f"cells       base, {', '.join(cell.name for cell in cells)}",
        f"training    {config.tokens:,} tokens each, {len(cells) * config.tokens:,} in all "
        f"(about {len(cells) * config.tokens / TOKENS_PER_SECOND / 60:.0f} min for a 135M model on two cores)",
    ]
    exams = section(config, "exam").get("exams")
    for exam in exams if isinstance(exams, list) else []:
        if isinstance(exam, dict):
            asked = exam.get("conditions")
            names = ", ".join(map(str, asked)) if isinstance(asked, list) else "closed"
            lines.append(f"exam        {exam.get('exam')}: {names}")
    done = sorted(folder.name for folder in (config.work / "steps").glob("*-*")) if config.work.is_dir() else []
    lines.append(f"work        {config.work} ({len(done)} step folders; finished steps are not done again)")
    return "\n".join(lines)
