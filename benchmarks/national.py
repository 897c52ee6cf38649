"""A study of a whole nation by the command line: ``python benchmarks/national.py [--districts 1000,4000,13000]``.

Figures are INVENTED: so many districts, twelve school years, twelve districts with a program. `leapstudy new` drafts
the study from one file, its TODOs are filled, and `check` and `run` are timed as a person would type them, each with
all its processes. Results are appended to `benchmarks/results/national.csv`; docs/benchmarks.md shows the last ones.
"""

import argparse
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from batch import ROOT, measure
from results_table import RESULTS, append, machine

from leapstudy.evidence.plan import plan_hash

TABLE = RESULTS / "national.csv"
COLUMNS = ("date", "districts", "command", "wall_s", "cpu_s", "pages_mib", "cores", "load", "python", "versions")
YEARS = [f"{year}-{(year + 1) % 100:02d}" for year in range(2013, 2025)]
STARTED = 12
EFFECT = 0.6
ANSWERS = {
    r"TODO: two letters": "MA",
    r"TODO: the state\b": "INVENTED nation",
    r"TODO: the program's full name": "INVENTED PROGRAM",
    r"TODO: what sentences[^\"]*": "the program",
    r"TODO: year and month[^\"]*": "2020-05",
    r"TODO: last school year[^\"]*": "2024-25",
    r"# invented: true": "invented: true",
    r"TODO: date": "2031-08-01",
    r"TODO:": "INVENTED:",
}


def write_figures(place: Path, districts: int) -> list[str]:
    """Write a row a district and year, and return the codes of the districts with the program."""
    rng = np.random.default_rng(districts)
    codes = [f"{100_000 + number}" for number in range(districts)]
    level, moved = rng.normal(93, 1.5, (districts, 1)), rng.normal(0, 0.5, (districts, len(YEARS)))
    rate = level + moved - np.array([float(year >= "2020") for year in YEARS])
    rate[:STARTED, -3:] += EFFECT
    table = pd.DataFrame(np.clip(rate, 60, 100).round(2), pd.Index(codes, name="code"), YEARS)
    rows = table.reset_index().melt("code", var_name="year", value_name="rate_pct")
    rows = rows.assign(
        district="District " + rows["code"],
        students=rows["code"].map(dict(zip(codes, rng.integers(300, 9_000, districts), strict=True))),
    )
    rows.to_csv(place, index=False)
    return codes[:STARTED]


def draft(folder: Path, districts: int) -> Path:
    """Draft the study and fill in what the file does not say."""
    figures, study = folder / "figures.csv", folder / "nation"
    started = write_figures(figures, districts)
    columns = [text for pair in ("rate=rate_pct", "district_code=code") for text in ("--column", pair)]
    measure_one("new", study, "--from", figures, *columns)
    for place in (study / "params").glob("*.yml"):
        text = place.read_text(encoding="utf-8")
        for asked, answer in ANSWERS.items():
            text = re.sub(asked, answer, text)
        place.write_text(text, encoding="utf-8")
    plan = study / "params" / "plan.yml"
    written = plan.read_text(encoding="utf-8")
    plan.write_text(written.replace('frozen: ""', f'frozen: "{plan_hash(yaml.safe_load(written))}"'), encoding="utf-8")
    with (study / "data/raw/program/units.csv").open("a", encoding="utf-8") as register:
        register.writelines(f"{code},2022-23,,INVENTED\n" for code in started)
    measure_one("--study", study, "data", "pin", "program/units.csv")
    measure_one("--study", study, "choose", "others", "--reason", "INVENTED: the largest group")
    return study


def measure_one(*words: object) -> tuple[float, float]:
    """Run a command of this tree to its end; return wall seconds, and CPU seconds of all its processes."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "LEAPSTUDY_ROOT": str(ROOT)}
    return measure([[sys.executable, "-m", "leapstudy", *map(str, words)]], env)


def main() -> None:
    """Time each command at each size, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--districts", default="1000,4000,13000")
    for districts in map(int, parser.parse_args().districts.split(",")):
        folder = Path(tempfile.mkdtemp(prefix="leapstudy-national-"))
        study = draft(folder, districts)
        for words in (["check"], ["run", "--jobs", "2"]):
            wall, cpu = measure_one("--study", study, *words)
            pages = sum(file.stat().st_size for file in (study / "reports").rglob("*.html")) / 2**20
            row = {"districts": districts, "command": words[0], "wall_s": f"{wall:.1f}", "cpu_s": f"{cpu:.1f}"}
            print(row, flush=True)
            append(TABLE, COLUMNS, [{**machine(("pandas", "statsmodels")), **row, "pages_mib": f"{pages:.1f}"}])
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
