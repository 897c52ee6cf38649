"""The README is what the workspace makes of itself."""

import json
import re

from leapstudy.cli.readme import commands, exhibits, readme
from leapstudy.core import paths
from leapstudy.figures.plain import answer_chart
from leapstudy.words.findings import verdict_words


def test_the_readme_is_what_the_study_says(whole):
    assert (paths.root() / "README.md").read_text(encoding="utf-8") == readme(whole, answer_chart(whole))
    assert (paths.root() / "docs" / "answer.png").stat().st_size > 5_000


def test_readme_and_kept_notebooks_tell_one_verdict(whole):
    told = verdict_words(whole.evidence.verdict, whole.answer.main.outcome)
    assert told in (paths.root() / "README.md").read_text(encoding="utf-8")
    for name in ("00_start_here", "30_all_districts"):
        cells = json.loads((paths.notebooks() / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
        printed = ["".join(out.get("text", "")) for cell in cells for out in cell.get("outputs", [])]
        assert told in " ".join(" ".join(printed).split()), name


def test_the_exhibits_are_what_is_there():
    text = exhibits()
    assert (paths.root() / "docs" / "exhibits.md").read_text(encoding="utf-8") == text
    assert "`over_years.over_years`" in text and "`power.ruler`" in text and "`forest.forest`" in text


def test_the_commands_are_what_is_there():
    assert (paths.root() / "docs" / "commands.md").read_text(encoding="utf-8") == commands()


def test_the_tree_names_only_what_is_there():
    tree = commands().split("```")[1]
    assert [name for name in re.findall(r"^\S+", tree, re.MULTILINE) if not (paths.root() / name).exists()] == []


def test_every_kept_result_is_there_and_named():
    benchmarks, named = paths.root() / "benchmarks", re.findall(r"`benchmarks/(\S+)`", exhibits())
    results = {f"results/{path.name}" for path in (benchmarks / "results").glob("*.csv")}
    assert results == {name for name in named if name.startswith("results/")}
    assert [name for name in named if not (benchmarks / name).is_file()] == []
