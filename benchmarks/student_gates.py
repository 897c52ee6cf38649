"""How often each gate of the student track stops a claim where visits do nothing, by how staff pick, SIMULATED.

Run it by `python benchmarks/student_gates.py`. The true effect is zero in all replicates: every claim of a rise is
false. A replicate is a district; those of one file share nothing but the engine. The table is kept in
benchmarks/results/student_gates.csv with its date and seed after every file.
"""

import argparse
import datetime
import tempfile
from pathlib import Path
from typing import Any, get_args

import pandas as pd
from scipy import stats

from leapstudy.core.estimate import Estimate
from leapstudy.core.files import write_text_atomic
from leapstudy.did.staggered.effects import Context, Effects
from leapstudy.evidence.verdict import excludes_zero, rejects
from leapstudy.students.engine import connect
from leapstudy.students.handle import StudentData, open_students
from leapstudy.students.lookback import at_risk_shares, control_program, placebo_program
from leapstudy.students.referral_rule import ReferralRule, find_rules
from leapstudy.students.risk_changes import risk_changes
from leapstudy.students.simulate import load_config, write_simulation
from leapstudy.students.simulate.config import Pick
from leapstudy.study.student_designs import headline_row, pre_trend
from leapstudy.study.student_estimates import at_risk_by_district
from leapstudy.study.students import student_verdict

STUDENTS, DISTRICTS, FILES, SEED, FEWEST = 2500, 20, 5, 20261128, 6
OUT = Path(__file__).parent / "results" / "student_gates.csv"


def effects_of(data: StudentData, rules: tuple[ReferralRule, ...], codes: list[str]) -> dict[str, Effects | None]:
    """Return the recommended design's effects by district in one program; None where it is refused."""
    found = at_risk_by_district(risk_changes(data, rules), {"": ("",)}, FEWEST)
    return {code: found[code, ""].effects if (code, "") in found else None for code in codes}


def shown(effects: Effects | None) -> Estimate | None:
    """Return the headline as the page reads it."""
    return None if effects is None else headline_row(effects, Context("", "", "attendance_rate", "SIMULATED"))


def replicates(pick: str, students: int, districts: int, seed: int) -> list[dict[str, Any]]:
    """Return what each gate says of each district of one simulated file in which visits do nothing."""
    codes = [f"{number:04d}011" for number in range(1, districts + 1)]
    config = load_config().with_changes(
        districts=dict.fromkeys(codes, students),
        seed=seed,
        visits__pick=pick,
        visits__completed=0.6,
        effect__path="zero",
        dirt={},
    )
    with tempfile.TemporaryDirectory() as folder:
        files = write_simulation(Path(folder) / "state.parquet", config)
        data = open_students(files.panel, visits=files.visits, con=connect(threads=1))
        rules = find_rules(at_risk_shares(data))
        programs = (data, placebo_program(data, rules, seed), control_program(data))
        main, placebo, control = (effects_of(program, rules, codes) for program in programs)
    return [{"pick": pick, **judged(main[code], placebo[code], control[code])} for code in codes]


def judged(main: Effects | None, placebo: Effects | None, control: Effects | None) -> dict[str, Any]:
    """Return estimates, which gates reject, and what the page would claim."""
    rows, trend = [shown(one) for one in (main, placebo, control)], pre_trend(main)
    verdict = student_verdict(rows[0], rows[1], rows[2], trend)
    names = ("effect", "placebo", "control")
    estimates = {f"{name}_pp": row and row.estimate_pp for name, row in zip(names, rows, strict=True)}
    outside = [row is not None and excludes_zero(row.ci_low_pp, row.ci_high_pp) for row in rows]
    return {
        **estimates,
        **{f"{name}_rejects": one for name, one in zip(names, outside, strict=True)},
        "pre_trend_rejects": trend is not None and rejects(trend.p_value),
        "claims_rise": verdict is not None and verdict.kind == "positive",
        "claims_fall": verdict is not None and verdict.kind == "negative",
    }


def summary(rows: list[dict[str, Any]], **stamp: Any) -> pd.DataFrame:
    """Return shares and mean estimates by how staff pick, and the upper 95% limit of the share that claims a rise."""
    by = pd.DataFrame(rows).groupby("pick", sort=False)
    table = by.mean().astype(float)
    table.insert(0, "replicates", by.size())
    rises = by["claims_rise"].sum()
    table["claims_rise_at_most"] = stats.beta.ppf(0.975, rises + 1, table["replicates"] - rises)
    return table.reset_index().assign(date=datetime.date.today().isoformat(), **stamp)


def lines(table: pd.DataFrame) -> str:
    """Return the table of `docs/method.md`."""
    head = ("picked by", "claims a rise", "effect", "placebo", "control", "before", "effect, points", "control, points")
    told = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in table.to_dict("records"):
        names = ("claims_rise", "effect_rejects", "placebo_rejects", "control_rejects", "pre_trend_rejects")
        shares = [f"{row[name]:.0%}" for name in names]
        points = [f"{row[name]:+.1f}".replace("-", "−") for name in ("effect_pp", "control_pp")]
        told.append(f"| {' | '.join([row['pick'], *shares, *points])} |")
    return "\n".join(told)


def main() -> None:
    """Run the replicates and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--districts", type=int, default=DISTRICTS)
    parser.add_argument("--students", type=int, default=STUDENTS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for number in range(given.files):
        for pick in get_args(Pick):
            rows += replicates(pick, given.students, given.districts, given.seed + number)
            print(number, pick, flush=True)
        table = summary(rows, students=given.students, seed=given.seed)
        write_text_atomic(given.out, table.to_csv(index=False, float_format="%.4f"))
        print(table.round(2).to_string(), flush=True)


if __name__ == "__main__":
    main()
