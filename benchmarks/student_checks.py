"""Bias and coverage of the adjusted checks under every picking rule, on SIMULATED students: one row a rule and path.

python benchmarks/student_checks.py --replicates 12 --out benchmarks/results/student_checks.csv
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from leapstudy.did.adjusted import adjusted_effect
from leapstudy.did.at_risk import HEADLINE
from leapstudy.students.handle import open_students
from leapstudy.students.risk_rows import risk_rows, risk_sets
from leapstudy.students.simulate import load_config, write_simulation
from leapstudy.study.student_checks import VISITED

PICKS = ("lot", "severity", "trouble", "improvement", "trait")
DISTRICTS = {"0640011": 2000}


def replicate(pick: str, path: str, seed: int) -> list[dict[str, object]]:
    """Return estimate, error and truth of each check on one SIMULATED state."""
    changes = {"seed": seed, "districts": DISTRICTS, "visits__pick": pick, "effect__path": path, "school_size": 100}
    config = load_config().with_changes(**changes, effect__null_district=False)
    with tempfile.TemporaryDirectory() as folder:
        files = write_simulation(Path(folder) / "students.parquet", config)
        rows = risk_rows(risk_sets(open_students(files.panel, files.visits)), HEADLINE)
        used = np.isfinite(rows.change)
        found = adjusted_effect(rows.change[used], rows.picked[used], rows.history[used], rows.school[used])
        truth = pd.read_csv(files.truth, dtype={"district_code": "str"})
    inside = truth[(truth["district_code"] == "ALL") & truth["event_time"].between(1, 6)]
    effect = float(np.average(inside["effect_pp"], weights=inside["students"]))
    return [
        {
            "pick": pick,
            "path": path,
            "check": VISITED,
            "truth": effect,
            "estimate": found.estimate,
            "se": found.se,
            "low": found.low,
            "high": found.high,
        }
    ]


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return bias, spread, mean error and coverage by rule, path and check."""
    rows = rows.assign(gap=rows["estimate"] - rows["truth"], covered=rows["truth"].between(rows["low"], rows["high"]))
    made = rows.groupby(["path", "pick", "check"]).agg(
        replicates=("gap", "size"), truth_pp=("truth", "mean"), bias_pp=("gap", "mean"), sd_pp=("gap", "std"),
        mean_se_pp=("se", "mean"), coverage=("covered", "mean"),
    )  # fmt: skip
    return made.round(3).reset_index()


def main() -> None:
    """Run all rules and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=12)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    rows: list[dict[str, object]] = []
    for seed in range(chosen.replicates):
        for path in ("zero", "leap"):
            for pick in PICKS:
                rows += replicate(pick, path, seed)
        summary(pd.DataFrame(rows)).to_csv(chosen.out, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
