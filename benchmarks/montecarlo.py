"""Bias and coverage of each student design under each referral rule, on SIMULATED students whose truth is known.

Run it by `make montecarlo`. The table is kept in benchmarks/results/montecarlo.csv with its date and seed, the picture
beside it. Arrays go straight to moments; nothing touches a file until the end.

Standard errors speak of students like those visited, so that `coverage` is of the mean effect over replicates. Of the
effect on the very students of a replicate (`coverage_realized`) they cover less where visits work: an estimate strays
from it by what the visited would have done without a visit, which varies more than what they did, and which nobody
sees.
"""

import argparse
import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from leapstudy.core.errors import BadInput
from leapstudy.core.files import write_bytes_atomic, write_text_atomic
from leapstudy.did.at_risk import HEADLINE
from leapstudy.did.staggered.att_gt import Choices, att_gt, before_after
from leapstudy.did.staggered.effects import GroupTime, aggregate_influence, averages
from leapstudy.figures.exhibit import PAGE_DPI, png
from leapstudy.figures.palette import INK
from leapstudy.students.moments.record import NEVER, Moments, covariance
from leapstudy.students.risk_changes import BAND_EDGES
from leapstudy.students.simulate import Block, SimulationConfig, load_config, simulate
from leapstudy.students.simulate.blocks import window
from leapstudy.students.simulate.config import EffectPath, ReferralRule
from leapstudy.study.student_results import DESIGN_LABELS

# Of the designs, in their order.
MARKERS = ("P", "^", "v", "D", "o")
RESULTS = Path(__file__).parent / "results"
CODE = "0640011"
MONTHS = (1, 3, 6)
SHIFT = 93.0  # points; near the mean of attendance
STUDENTS, REPLICATES, SEED, FEWEST = 4000, 200, 20261125, 6
PLAIN = {
    "never": Choices(control="never", base="universal"),
    "not_yet": Choices(control="not_yet", base="universal"),
    "early": Choices(control="never", base="universal", early=(6, 4)),
}


def month_numbers(months: np.ndarray) -> np.ndarray:
    """Return ``datetime64[M]`` months as ``12 * year + month - 1``; NaT (never) becomes `NEVER`."""
    whole = months.astype("datetime64[M]")
    return np.where(np.isnat(whole), NEVER, whole.astype(int) + 12 * 1970)


def attendance(block: Block) -> np.ndarray:
    """Return attendance in points, shape (students, months); NaN after a student has left."""
    return np.where(block.present, 100 * (1 - block.absent / block.days), np.nan)


def moments_of_arrays(
    outcome: np.ndarray, months: np.ndarray, cohort: np.ndarray, district: np.ndarray, stratum: np.ndarray
) -> Moments:
    """Return the moments of students in arrays, each student counting once.

    Parameters
    ----------
    outcome
        Attendance in points, NaN where not seen; shape (students, T).
    months
        Month numbers in order, shape (T,).
    cohort
        Month number of the first visit or `NEVER`, shape (students,).
    district, stratum
        Text, shape (students,).
    """
    seen = ~np.isnan(outcome)
    shifted = np.where(seen, outcome - SHIFT, 0.0)
    number = _numbers(cohort, district, stratum, np.packbits(seen, axis=1))
    cells = number.max() + 1
    first = np.unique(number, return_index=True)[1]
    students = np.bincount(number, minlength=cells)
    total, cross = np.zeros((cells, len(months))), np.zeros((cells, len(months), len(months)))
    order = np.argsort(number, kind="stable")
    for cell, rows in enumerate(np.split(order, np.cumsum(students)[:-1])):
        total[cell], cross[cell] = shifted[rows].sum(axis=0), shifted[rows].T @ shifted[rows]
    return Moments(
        periods=months,
        district=district[first],
        cohort=cohort[first],
        stratum=stratum[first],
        seen=seen[first],
        students=students,
        weight=students.astype(float),
        weight_sq=students.astype(float),
        total=total,
        total_sq=total,
        cross=cross,
        shift=SHIFT,
    )


def _numbers(*columns: np.ndarray) -> np.ndarray:
    """Number the distinct combinations of columns, shape (students,)."""
    codes = [np.unique(column, axis=0, return_inverse=True)[1].ravel() for column in columns]
    return np.unique(np.stack(codes, axis=1), axis=0, return_inverse=True)[1].ravel()


@dataclass(frozen=True, slots=True)
class RowAtt:
    """ATT(g,t) of the at-risk design from arrays, with each student's influence; K pairs of cohort and month,
    N students.
    """

    cohort: np.ndarray  # (K,)
    period: np.ndarray  # (K,)
    estimate: np.ndarray  # (K,)
    cohort_weight: np.ndarray  # (K,)
    influence: np.ndarray  # (K, N)
    overlap: np.ndarray  # (K,) share of the visited students that the estimate speaks for


def scenarios() -> Iterator[tuple[str, str]]:
    """Yield every effect path with every referral rule."""
    for path in get_args(EffectPath):
        for rule in get_args(ReferralRule):
            yield rule, path


def config_of(rule: str, path: str, students: int, seed: int) -> SimulationConfig:
    """Return one district of `students` students under a referral rule and an effect path.

    Its level is not drawn anew: the district is given, only its students are a sample.
    """
    effect: dict[str, Any] = {"effect__month_6_district": {}, "effect__null_district": False}
    return load_config().with_changes(
        districts={CODE: students}, seed=seed, visits__rule=rule, effect__path=path, absence__district_sd=0.0, **effect
    )


def strata_by_cohort(
    block: Block, rule: Any, months: np.ndarray, cohort: np.ndarray, referral: np.ndarray
) -> dict[float, np.ndarray]:
    """Return each student's stratum for each cohort, shape (N,): days missed in the rule's window,
    and who waits already.
    """
    strata = {}
    for g in np.unique(cohort[cohort < NEVER]):
        seen = window("last_two_months" if rule in ("random", "worst") else rule, int(np.searchsorted(months, g)))
        band = np.digitize(100 * block.absent[:, seen].sum(axis=1) / block.days[seen].sum(), BAND_EDGES)
        strata[float(g)] = band + (len(BAND_EDGES) + 1) * (referral < g)
    return strata


def referral_months(config: SimulationConfig, block: Block) -> np.ndarray:
    """Return the month number of each student's referral, `NEVER` without one; shape (N,)."""
    month = block.referrals.month
    return np.where(month >= 0, month_numbers(config.visit_months)[month], NEVER)


def stay_weights(
    outcome: np.ndarray, months: np.ndarray, cohort: np.ndarray, strata: dict[float, np.ndarray]
) -> dict[float, np.ndarray]:
    """Return the chance of each student to stay unvisited in each month of first visits, given the stratum;
    shapes (N,).
    """
    stay = {}
    for g, stratum in strata.items():
        seen = ~np.isnan(outcome[:, np.searchsorted(months, g) - 1])
        picked = np.bincount(stratum[seen & (cohort == g)], minlength=stratum.max() + 1)
        at_risk = np.bincount(stratum[seen & (cohort >= g)], minlength=stratum.max() + 1)
        share = (picked / np.maximum(at_risk, 1))[stratum]
        stay[g] = np.where(seen & (cohort >= g) & (share < 1), 1 - share, 1.0)
    return stay


def at_risk_rows(
    outcome: np.ndarray, months: np.ndarray, cohort: np.ndarray, strata: dict[float, np.ndarray], fewest: int = 1
) -> RowAtt:
    """Estimate the at-risk design from arrays: what the engine computes without a row leaving it.

    Parameters
    ----------
    outcome
        Attendance in points, NaN where not seen; shape (N, T).
    months, cohort
        Month numbers, shapes (T,) and (N,).
    strata
        Each cohort's stratum of every student, shape (N,).
    fewest
        Fewest comparison students of a stratum.

    Raises
    ------
    BadInput
        If no stratum has enough of them: there is no overlap.
    """
    made, stay = [], stay_weights(outcome, months, cohort, strata)
    for g, stratum in strata.items():
        base = np.searchsorted(months, g) - 1
        for t in np.flatnonzero(months >= g):
            change = outcome[:, t] - outcome[:, base]
            seen = ~np.isnan(change)
            sides = seen & (cohort == g), seen & (cohort > months[t])
            weight = 1 / np.prod([stay[s] for s in stay if g < s <= months[t]], axis=0)
            made += [(g, months[t], *one) for one in _within(np.nan_to_num(change), *sides, stratum, weight, fewest)]
    if not made:
        raise BadInput("No stratum has enough comparison students: visited and other students do not overlap.")
    cohorts, periods, estimate, influence, overlap = (np.array(part) for part in zip(*made, strict=True))
    weight = (cohort == cohorts[:, None]).sum(axis=1).astype(float)
    return RowAtt(cohorts, periods, estimate, weight, influence, overlap)


def _within(
    change: np.ndarray, treated: np.ndarray, compare: np.ndarray, stratum: np.ndarray, weight: np.ndarray, fewest: int
) -> list[tuple[float, np.ndarray, float]]:
    size, weight = stratum.max() + 1, np.broadcast_to(weight, change.shape)
    n_t, n_c = np.bincount(stratum[treated], minlength=size), np.bincount(stratum[compare], minlength=size)
    used = (n_t > 0) & (n_c >= fewest)
    if not used.any():
        return []
    in_t, in_c = treated & used[stratum], compare & used[stratum]
    heavy = np.maximum(np.bincount(stratum[in_c], weight[in_c], size), 1)
    gap = change - (np.bincount(stratum[in_c], (weight * change)[in_c], size) / heavy)[stratum]
    estimate = float(gap[in_t].mean())
    share = np.where(used, n_t, 0) / n_t[used].sum() / heavy
    moved = np.where(in_t, (gap - estimate) / in_t.sum(), 0) - np.where(in_c, share[stratum] * weight * gap, 0)
    return [(estimate, moved, float(in_t.sum() / treated.sum()))]


def true_effects(block: Block, att: GroupTime, months: np.ndarray, cohort: np.ndarray) -> np.ndarray:
    """Return the true mean effect on the visited students seen, for each estimated cohort and month; shape (K,)."""
    gain = np.where(block.present, 100 * (block.absent_without - block.absent) / block.days, np.nan)
    pairs = zip(att.cohort, np.searchsorted(months, att.period), strict=True)
    return np.array([0.0 if months[t] < g else np.nanmean(gain[cohort == g, t]) for g, t in pairs])


def replicate(rule: str, path: str, students: int, seed: int) -> list[dict[str, Any]]:
    """Return one row per design and quantity of one simulated district: estimate, standard error, truth."""
    config = config_of(rule, path, students, seed)
    block = next(simulate(config))
    months, cohort, outcome = month_numbers(config.months).astype(int), month_numbers(block.cohort), attendance(block)
    text = np.full(students, CODE)
    moments = moments_of_arrays(outcome, months, cohort, text, np.full(students, ""))
    designs: dict[str, Any] = {"before_after": before_after(moments, PLAIN["never"])}
    designs |= {name: att_gt(moments, choices) for name, choices in PLAIN.items()}
    referral = referral_months(config, block)
    strata = strata_by_cohort(block, rule, months, cohort, referral)
    designs["at_risk"] = at_risk_rows(outcome, months, cohort, strata, FEWEST)
    rows = []
    for name, att in designs.items():
        made = averages(att, "event", events=HEADLINE)
        if name == "at_risk":
            influence = made.combination @ att.influence
            influence += made.share_slope @ (att.cohort[:, None] == cohort)
            variance = (influence**2).sum(axis=1)
        else:
            variance = np.diag(covariance(moments, aggregate_influence(moments, att, made)))
        truth = made.combination @ true_effects(block, att, months, cohort)
        values, overlap = np.append(made.estimate, made.overall), float(made.combination[-1] @ att.overlap)
        for place, key in enumerate([*made.key, None]):
            if key is None or key in MONTHS:
                rows.append(
                    {
                        "rule": rule,
                        "path": path,
                        "design": name,
                        "month": "1 to 6" if key is None else f"{key:.0f}",
                        "estimate": values[place],
                        "se": np.sqrt(variance[place]),
                        "truth": truth[place],
                        "overlap": overlap,
                    }
                )
    return rows


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return bias, spread and coverage by rule, path, design and month; all in points of attendance."""
    cell = ["path", "rule", "design", "month"]
    error, reach = rows["estimate"] - rows["truth"], 1.959964 * rows["se"]
    from_mean = rows["estimate"] - rows.groupby(cell)["truth"].transform("mean")
    marked = rows.assign(bias_pp=error, covered=from_mean.abs() <= reach, realized=error.abs() <= reach)
    by = marked.groupby(cell, sort=False)
    table = by.agg(
        replicates=("bias_pp", "size"),
        truth_pp=("truth", "mean"),
        bias_pp=("bias_pp", "mean"),
        sd_pp=("estimate", "std"),
        mean_se_pp=("se", "mean"),
        coverage=("covered", "mean"),
        coverage_realized=("realized", "mean"),
        overlap=("overlap", "mean"),
    )
    return table.reset_index()


def picture(table: pd.DataFrame) -> bytes:
    """Return bias by rule and design, zero effect on the left and the LEAP path on the right, as PNG."""
    rules = list(get_args(ReferralRule))
    figure = Figure(figsize=(9.0, 4.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, path, title in zip(panels, ("zero", "leap"), ("no effect", "LEAP path"), strict=True):
        for place, (name, marker) in enumerate(zip(DESIGN_LABELS, MARKERS, strict=True)):
            shown = table[(table["path"] == path) & (table["design"] == name) & (table["month"] == "1 to 6")]
            bias = shown.set_index("rule")["bias_pp"].reindex(rules)
            spots = np.arange(len(rules)) + 0.14 * (place - 2)
            axes.plot(spots, bias, linestyle="none", marker=marker, color=INK, label=DESIGN_LABELS[name])
        axes.axhline(0, color=INK, linewidth=1)
        axes.set(xticks=range(len(rules)), xticklabels=[rule.replace("_", "\n") for rule in rules], title=title)
    panels[0].set_ylabel("bias, points of attendance")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.suptitle("SIMULATED: bias of each design by referral rule", fontsize=10.5)
    return png(figure, PAGE_DPI)


def main() -> None:
    """Run the replicates, keep table and picture, print the headline."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    parser.add_argument("--students", type=int, default=STUDENTS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    rows, failed = [], 0
    for rule, path in scenarios():
        for number in range(given.replicates):
            try:
                rows += replicate(rule, path, given.students, given.seed + number)
            except BadInput:
                failed += 1
        print(f"{rule}, {path}: {given.replicates} replicates", flush=True)
    table = summary(pd.DataFrame(rows)).assign(
        students=given.students, seed=given.seed, date=datetime.date.today().isoformat(), failed=failed
    )
    write_text_atomic(given.out / "montecarlo.csv", table.to_csv(index=False, float_format="%.4f"))
    write_bytes_atomic(given.out / "montecarlo.png", picture(table))
    print(table[table["month"] == "1 to 6"].round(2).to_string(index=False))


if __name__ == "__main__":
    main()
