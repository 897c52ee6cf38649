"""Size, bias and coverage of the analysis of a draw, on SIMULATED students whose true effects are known.

Run it by `python benchmarks/student_lottery.py`. A replicate is one draw among the students who meet the referral rule,
in two districts and two phases. Arrays go straight to the estimators. The table is kept in
benchmarks/results/student_lottery.csv with its date and seed.
"""

import argparse
import datetime
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd

from leapstudy.core.files import write_text_atomic
from leapstudy.did.lottery.rollout import rollout
from leapstudy.did.lottery.visited import complier_effect, lee_bounds
from leapstudy.students.simulate import Block, SimulationConfig, load_config, simulate
from leapstudy.students.simulate.config import EffectPath
from leapstudy.students.simulate.write import visit_log

OUT = Path(__file__).parent / "results" / "student_lottery.csv"
DRAWS, SEED, REDRAWS, RESAMPLES = 400, 20261128, 399, 199
DISTRICTS = {"0640011": 1500, "0770011": 1200}
STARTS = {"first": "2021-09", "second": "2022-01"}
OFFER = {"starts": STARTS, "share": 0.6, "crossover": 0.03}
# School months at which periods begin: before the first start, from each start on; and one past the last.
EDGES = (0, 10, 14, 20)
# A path on which each further visit adds points to what the first does; elsewhere it adds none.
MORE, PER_VISIT = "more", 2.0
# Chance to leave before the last figure, a share missed in the last period: visits keep students, so Lee is needed.
LEAVING = 0.6
WHAT = {
    "offer": "effect of the offer",
    "visited": "effect of being visited (Anderson-Rubin)",
    "dose": "effect per visit, first and further ones alike (Anderson-Rubin)",
    "leavers": "effect on those who stay either way (Lee bounds)",
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """N students drawn, with and without visits: attendance in points, shape (N, periods); who is visited by when, and
    how many visits each had by then.
    """

    outcome: np.ndarray
    without: np.ndarray
    visited: np.ndarray
    visits: np.ndarray
    start: np.ndarray
    strata: np.ndarray


def drawn(config: SimulationConfig) -> Drawn:
    """Return the students of a draw."""
    parts = [_drawn_of(block, config) for block in simulate(config)]
    strata = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
    return Drawn(*(np.concatenate(one) for one in zip(*parts, strict=True)), strata)


def _drawn_of(block: Block, config: SimulationConfig) -> tuple[np.ndarray, ...]:
    rows = block.referrals.phase >= 0
    spans = [slice(*ends) for ends in pairwise(EDGES)]
    rates = [
        np.stack([100 * (1 - days[rows][:, span].sum(axis=1) / block.days[span].sum()) for span in spans], axis=1)
        for days in (block.absent, block.absent_without)
    ]
    ends = [config.months[span.stop - 1] for span in spans]
    visited = np.stack([block.cohort[rows] <= end for end in ends], axis=1).astype(float)
    log = visit_log(block, config)
    log = log[log["completed"]].assign(month=lambda met: met["visit_date"].to_numpy().astype("datetime64[M]"))
    counts = [log[log["month"] <= end].groupby("student").size().reindex(block.student, fill_value=0) for end in ends]
    visits = np.stack([one.to_numpy(float)[rows] for one in counts], axis=1)
    return *rates, visited, visits, block.referrals.phase[rows] + 1


def truths(data: Drawn) -> tuple[float, float, float]:
    """Return the effect of the offer, of being visited and per visit, averaged as the estimators average them."""
    gain, pairs = data.outcome - data.without, []
    for stratum in np.unique(data.strata):
        for place in range(1, len(STARTS) + 1):
            for period in range(place, len(STARTS) + 1):
                own = data.strata == stratum
                on, off = own & (data.start == place), own & (data.start > period)
                means = [one[on, period].mean() - one[off, period].mean() for one in (gain, data.visited, data.visits)]
                pairs.append((*means, on.sum()))
    *sums, sizes = np.array(pairs).T
    gain, seen, visits = (float(np.average(one, weights=sizes)) for one in sums)
    return gain, gain / seen, gain / visits


def replicate(path: str, seed: int) -> list[dict[str, object]]:
    """Return estimate, interval and truth of each quantity of one draw."""
    config = load_config().with_changes(
        seed=seed,
        districts=DISTRICTS,
        visits__offer=OFFER,
        effect__path="zero" if path == "zero" else "leap",
        effect__per_visit=PER_VISIT if path == MORE else 0.0,
        attrition__monthly=0.0,
        effect__null_district=False,
    )
    data = drawn(config)
    offer, visited, dose = truths(data)
    each = _moved("dose", dose, data, data.visits)
    if path == MORE:
        return [_told(path, each)]
    one = rollout(data.outcome, data.start, data.strata, seed=seed, most=REDRAWS)
    return [
        _told(path, ("offer", offer, one.estimate, one.redraw_low, one.redraw_high, one.p_value <= 0.05)),
        _told(path, _moved("visited", visited, data, data.visited)),
        _told(path, each),
        _told(path, _leavers(data, seed)),
    ]


Row = tuple[str, float, float, float, float, bool]


def _told(path: str, row: Row) -> dict[str, object]:
    columns = ("what", "truth", "estimate", "low", "high", "rejects")
    return {"path": path, **dict(zip(columns, row, strict=True))}


def _moved(what: str, truth: float, data: Drawn, visits: np.ndarray) -> Row:
    """Return the effect of visits, with the offer as instrument."""
    found = complier_effect(data.outcome, visits, data.start, data.strata)
    return what, truth, found.estimate, found.low, found.high, not found.low <= 0 <= found.high


def _leavers(data: Drawn, seed: int) -> Row:
    """Return the middle of Lee's bounds and their interval, beside the effect on the offered who stay either way."""
    chance = np.random.default_rng([seed, 1]).random(len(data.start))
    stays, would = (chance >= LEAVING * (1 - rates[:, -1] / 100) for rates in (data.outcome, data.without))
    change, offered = data.outcome[:, -1] - data.outcome[:, 0], data.start <= len(STARTS)
    bounds = lee_bounds(np.where(stays, change, np.nan), offered, seed, RESAMPLES)
    always = offered & stays & would
    truth = float((data.outcome - data.without)[always, -1].mean())
    outside = not bounds.low <= 0 <= bounds.high
    return "leavers", truth, (bounds.lower + bounds.upper) / 2, bounds.low, bounds.high, outside


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return bias, spread, coverage and rejections of zero by path and quantity."""
    rows = rows.assign(gap=rows["estimate"] - rows["truth"], covered=rows["truth"].between(rows["low"], rows["high"]))
    return (
        rows.groupby(["path", "what"], sort=False)
        .agg(
            draws=("gap", "size"),
            truth_pp=("truth", "mean"),
            bias_pp=("gap", "mean"),
            sd_pp=("gap", "std"),
            coverage=("covered", "mean"),
            rejects=("rejects", "mean"),
        )
        .reset_index()
    )


def lines(table: pd.DataFrame) -> str:
    """Return the table of `docs/method.md`."""
    head = ("visits", "quantity", "truth, points", "bias, points", "coverage", "rejects zero")
    told = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in table.to_dict("records"):
        points = [f"{row[name]:+.2f}".replace("-", "−") for name in ("truth_pp", "bias_pp")]
        work = {"zero": "do nothing", MORE: f"work, {PER_VISIT:g} points more for each further one"}.get(
            row["path"], "work"
        )
        told.append(
            f"| {work} | {WHAT[row['what']]} | {' | '.join(points)} | {row['coverage']:.1%} | {row['rejects']:.1%} |"
        )
    return "\n".join(told)


def main() -> None:
    """Run the draws and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    rows = [
        row
        for path in (*get_args(EffectPath), MORE)
        for number in range(given.draws)
        for row in replicate(path, given.seed + number)
    ]
    table = summary(pd.DataFrame(rows)).assign(seed=given.seed, date=datetime.date.today().isoformat())
    write_text_atomic(given.out, table.to_csv(index=False, float_format="%.4f"))
    print(table.round(3).to_string(), flush=True)


if __name__ == "__main__":
    main()
