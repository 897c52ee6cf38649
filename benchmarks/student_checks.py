"""Bias and coverage of the adjusted checks, of more visits and of the outcomes beyond attendance; SIMULATED students.

Run it by `python benchmarks/student_checks.py`. All are made under every way in which staff pick, with and without an
effect, and more often where a lot picks. The table is kept in benchmarks/results/student_checks.csv with its date and
seed after every replicate.
"""

import argparse
import datetime
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd
from scipy import stats

from leapstudy.core.files import write_text_atomic
from leapstudy.core.names import ALL_DISTRICTS
from leapstudy.did.at_risk import HEADLINE
from leapstudy.did.staggered.effects import Context
from leapstudy.students.disclosure import VISIT_COUNTS
from leapstudy.students.engine import connect
from leapstudy.students.handle import StudentData, open_students
from leapstudy.students.lookback import at_risk_shares
from leapstudy.students.referral_rule import ReferralRule, find_rules
from leapstudy.students.risk_changes import Split, risk_changes
from leapstudy.students.risk_rows import risk_sets
from leapstudy.students.settings import load_settings
from leapstudy.students.simulate import SimulationConfig, load_config, simulate, write_simulation
from leapstudy.students.simulate.config import EffectPath, Pick
from leapstudy.students.simulate.write import visit_log
from leapstudy.study.student_designs import headline_row
from leapstudy.study.student_estimates import at_risk_by_district
from leapstudy.study.student_outcomes import REFERRED, UNEXPOSED, VISITED, checks, outcome_effects

OUT = Path(__file__).parent / "results" / "student_checks.csv"
REPLICATES, BY_LOT, SEED = 24, 32, 20261128
What = Literal["checks", "visits", "outcomes"]
DISTRICTS = {"0640011": 2000}
# Share leaving in a month where outcomes are followed:
# with the state's own few of a district's visited would leave.
LEAVE = 0.03
# Points that each further visit adds where visits work.
PER_VISIT = 2.0
# Effects on students visited once, on those visited three times or more, and how much more the second is.
ONCE, OFTEN, MORE = "visited_once", "visited_often", "often_less_once"
# The way of picking that leaves nothing to staff.
LOT = "lot"
Z = float(stats.norm.ppf(0.975))
NUMBERS = ["estimate_pp", "se_pp", "low_pp", "high_pp"]


def truths(config: SimulationConfig) -> dict[str, float]:
    """Return the true mean effect on those whom each check is about: each student's own mean over the months."""
    gains: dict[str, list[np.ndarray]] = {name: [] for name in (VISITED, REFERRED, ONCE, OFTEN)}
    for block in simulate(config):
        gain = np.where(block.present, 100 * (block.absent_without - block.absent) / block.days, np.nan)
        since = (config.months[None, :] - config.visit_months[block.referrals.month][:, None]).astype(int)
        inside = np.where((since >= HEADLINE[0]) & (since <= HEADLINE[1]), gain, np.nan)
        met = visit_log(block, config).groupby("student")["completed"].sum().reindex(block.student).to_numpy()
        visited = block.referrals.completed
        sides = (visited, block.referrals.month >= 0, visited & (met == 1), visited & (met >= len(VISIT_COUNTS)))
        for parts, who in zip(gains.values(), sides, strict=True):
            own = inside[who]
            parts.append(np.nanmean(own[np.isfinite(own).any(axis=1)], axis=1))
    means = {name: float(np.concatenate(parts).mean()) for name, parts in gains.items()}
    return {**means, UNEXPOSED: means[VISITED], MORE: means[OFTEN] - means[ONCE]}


def more_visits(data: StudentData, rules: Sequence[ReferralRule]) -> pd.DataFrame:
    """Return how much more the effect is on those visited most often than on those visited once, as pages show both.

    The error is that of two effects apart, though both have the same students to compare with.
    """
    parts: dict[Split, tuple[str, ...]] = {"visits": VISIT_COUNTS}
    found = at_risk_by_district(risk_changes(data, rules), parts, load_settings().min_comparison)
    ends = [found[ALL_DISTRICTS, part].effects for part in (VISIT_COUNTS[0], VISIT_COUNTS[-1])]
    heads = [headline_row(one, Context("", "", "attendance_rate", "", "main")) for one in ends if one is not None]
    if len(heads) < len(ends):
        return pd.DataFrame([[np.nan] * 4], index=[MORE], columns=NUMBERS)
    once, often = heads
    more, se = often.estimate_pp - once.estimate_pp, float(np.hypot(often.se_pp or 0.0, once.se_pp or 0.0))
    return pd.DataFrame([[more, se, more - Z * se, more + Z * se]], index=[MORE], columns=NUMBERS)


def replicate(pick: str, path: str, seed: int, what: What) -> pd.DataFrame:
    """Return estimate, error and truth of each check, of more visits or of each outcome, on one SIMULATED district."""
    config = load_config().with_changes(
        seed=seed,
        districts=DISTRICTS,
        school_size=60,
        visits__pick=pick,
        effect__path=path,
        effect__per_visit=PER_VISIT if what == "visits" else 0.0,
        effect__null_district=False,
        **({"attrition__monthly": LEAVE} if what == "outcomes" else {}),
    )
    with tempfile.TemporaryDirectory() as folder:
        files = write_simulation(Path(folder) / "students.parquet", config)
        data = open_students(files.panel, files.visits, con=connect(threads=1))
        rules = find_rules(at_risk_shares(data))
        if what == "outcomes":
            settings = load_settings().model_copy(
                update={"input": str(files.panel), "visits": str(files.visits), "outcomes": str(files.outcomes)}
            )
            made = outcome_effects(data, risk_sets(data, rules), settings, "attendance")
            truth = pd.read_csv(files.outcome_truth).set_index("outcome")["effect_pp"]
            made = made.set_index("outcome") if made is not None else pd.DataFrame(columns=NUMBERS)
        else:
            made = checks(data, risk_sets(data, rules), rules) if what == "checks" else more_visits(data, rules)
            truth = pd.Series(truths(config))
    told = made[NUMBERS].assign(truth=truth, path=path, pick=pick, seed=seed)
    return told.rename_axis("what").reset_index()


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return bias, spread, mean error and coverage by path, rule and quantity; refused ones are counted apart."""
    rows = rows.assign(gap=rows["estimate_pp"] - rows["truth"])
    rows["covered"] = rows["truth"].between(rows["low_pp"], rows["high_pp"]).astype(float).where(rows["gap"].notna())
    made = rows.groupby(["path", "pick", "what"], sort=False).agg(
        replicates=("gap", "count"),
        refused=("gap", lambda gap: int(gap.isna().sum())),
        truth_pp=("truth", "mean"),
        bias_pp=("gap", "mean"),
        sd_pp=("gap", "std"),
        mean_se_pp=("se_pp", "mean"),
        coverage=("covered", "mean"),
    )
    return made.reset_index()


WHAT = {VISITED: "(1)", UNEXPOSED: "(2)", REFERRED: "(3)", MORE: "(5)"}


def lines(table: pd.DataFrame) -> str:
    """Return the first table of `docs/method.md`: the checks where a lot picks,
    the first check where staff do and visits do nothing, and what more visits seem to do everywhere.
    """
    head = ("visits", "picked by", "what", "districts", "truth", "bias", "standard error", "coverage")
    told = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    staff = ((table["path"] == "zero") & (table["what"] == VISITED)) | (table["what"] == MORE)
    shown = table[table["what"].isin(WHAT) & ((table["pick"] == LOT) | staff)]
    for row in shown.to_dict("records"):
        numbers = [f"{row[name]:+.2f}".replace("-", "−") for name in ("truth_pp", "bias_pp")]
        work = "do nothing" if row["path"] == "zero" else "work"
        cells = [work, row["pick"], WHAT[row["what"]], str(row["replicates"]), *numbers, f"{row['mean_se_pp']:.2f}"]
        told.append(f"| {' | '.join(cells)} | {row['coverage']:.0%} |")
    return "\n".join(told)


def outcome_lines(table: pd.DataFrame) -> str:
    """Return the second table of `docs/method.md`: bias, and coverage, of each outcome by the way of picking."""
    picks = get_args(Pick)
    told = [f"| visits | outcome | truth | {' | '.join(picks)} |", "|---" * (3 + len(picks)) + "|"]
    for (path, what), rows in table[~table["what"].isin(WHAT)].groupby(["path", "what"], sort=False):
        by_pick = rows.set_index("pick")
        cells = [f"{by_pick.at[pick, 'bias_pp']:+.2f} ({by_pick.at[pick, 'coverage']:.0%})" for pick in picks]
        told.append(
            f"| {'do nothing' if path == 'zero' else 'work'} | {str(what).replace('_', ' ')} "
            f"| {by_pick.at[LOT, 'truth_pp']:+.2f} | {' | '.join(cells)} |".replace("-", "−")
        )
    return "\n".join(told)


def main() -> None:
    """Run the replicates and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    parser.add_argument("--by-lot", type=int, default=BY_LOT, help="replicates where a lot picks")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    rows: list[pd.DataFrame] = []
    ways = [(path, pick) for path in get_args(EffectPath) for pick in get_args(Pick)]
    for number in range(max(given.replicates, given.by_lot)):
        asked = [(path, pick) for path, pick in ways if number < (given.by_lot if pick == LOT else given.replicates)]
        rows += [replicate(pick, path, given.seed + number, what) for what in get_args(What) for path, pick in asked]
        table = summary(pd.concat(rows, ignore_index=True))
        table = table.assign(seed=given.seed, date=datetime.date.today().isoformat())
        write_text_atomic(given.out, table.to_csv(index=False, float_format="%.4f"))
        print(number, flush=True)
    print(table.round(2).to_string(), flush=True)


if __name__ == "__main__":
    main()
