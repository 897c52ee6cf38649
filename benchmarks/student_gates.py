"""How often each gate of the student track stops a claim where visits do nothing, by how staff pick, on SIMULATED students.

Run it by `python benchmarks/student_gates.py`. The true effect is zero in all replicates: every claim of a rise is false. The
table is kept in benchmarks/results/student_gates.csv with its date and seed.
"""

import argparse
import datetime
import tempfile
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.estimate import Estimate
from leapstudy.core.files import write_text_atomic
from leapstudy.did.staggered.card import Context, Effects
from leapstudy.evidence.verdict import excludes_zero, rejects
from leapstudy.students.at_risk import at_risk_shares
from leapstudy.students.engine import connect
from leapstudy.students.handle import StudentData, open_students
from leapstudy.students.placebo import control_program, placebo_program
from leapstudy.students.referral_rule import ReferralRule, find_rules
from leapstudy.students.risk_changes import risk_changes
from leapstudy.students.simulate import load_config, write_simulation
from leapstudy.students.simulate.config import Pick
from leapstudy.study.student_designs import pre_trend
from leapstudy.study.student_estimates import at_risk_by_district
from leapstudy.study.student_paths import headline_row
from leapstudy.study.students import student_verdict

CODE = "0640011"
STUDENTS, REPLICATES, SEED, FEWEST = 4000, 25, 20261128, 6


def effects_of(data: StudentData, rules: tuple[ReferralRule, ...]) -> Effects | None:
    """Return the recommended design's effects in one program; None where it is refused."""
    return at_risk_by_district(risk_changes(data, rules), {"": ("",)}, FEWEST)[CODE, ""].effects


def shown(effects: Effects | None) -> Estimate | None:
    """Return the headline as the page reads it."""
    return None if effects is None else headline_row(effects, Context(CODE, CODE, "attendance_rate", "SIMULATED"))


def replicate(pick: str, students: int, seed: int) -> dict[str, Any]:
    """Return what each gate says of one simulated district in which visits do nothing."""
    config = load_config().with_changes(
        districts={CODE: students}, seed=seed, visits__pick=pick, visits__completed=0.6, effect__path="zero", dirt={}
    )
    with tempfile.TemporaryDirectory() as folder:
        files = write_simulation(Path(folder) / "state.parquet", config)
        data = open_students(files.panel, visits=files.visits, con=connect(threads=1))
        rules = find_rules(at_risk_shares(data))
        main, placebo, control = (
            effects_of(program, rules) for program in (data, placebo_program(data, rules, seed), control_program(data))
        )
    rows, trend = [shown(one) for one in (main, placebo, control)], pre_trend(main)
    verdict = student_verdict(rows[0], rows[1], rows[2], trend)
    estimates = {
        f"{name}_pp": None if row is None else row.estimate_pp
        for name, row in zip(("effect", "placebo", "control"), rows, strict=True)
    }
    outside = [row is not None and excludes_zero(row.ci_low_pp, row.ci_high_pp) for row in rows]
    return {
        "pick": pick, **estimates, "effect_significant": outside[0], "placebo_fails": outside[1], "control_fails": outside[2],
        "pre_trend_fails": trend is not None and rejects(trend.p_value),
        "claims_rise": verdict is not None and verdict.kind == "positive",
        "claims_fall": verdict is not None and verdict.kind == "negative",
    }  # fmt: skip


def main() -> None:
    """Run the replicates and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    parser.add_argument("--students", type=int, default=STUDENTS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "student_gates.csv")
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    refused = 0
    for number in range(given.replicates):
        for pick in get_args(Pick):
            try:
                rows.append(replicate(pick, given.students, given.seed + number))
            except BadInput:
                refused += 1
        table = pd.DataFrame(rows).groupby("pick", sort=False).mean().astype(float)
        table.insert(0, "replicates", pd.DataFrame(rows).groupby("pick", sort=False).size())
        stamp = {
            "students": given.students,
            "seed": given.seed,
            "date": datetime.date.today().isoformat(),
            "refused": refused,
        }
        content = table.reset_index().assign(**stamp).to_csv(index=False, float_format="%.4f")
        write_text_atomic(given.out, content)
    print(table.round(2).to_string())


if __name__ == "__main__":
    main()
