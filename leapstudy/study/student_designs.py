"""The student track's designs out of moments, each beside its placebo, and what a page shows of them.

Means are by month and season of first visit, and around the month of being picked. They are rounded by the number of
students behind them (`leapstudy.students.disclosure`): beside the placebo's changes, levels to a hundredth of a point
would tell the single month of a student to who knows those never visited.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import ndtri

from leapstudy.core.errors import attempt
from leapstudy.core.estimate import Estimate
from leapstudy.core.phrases import counted
from leapstudy.did.at_risk import HEADLINE, NO_STRATUM, NOBODY_FOLLOWED
from leapstudy.did.eventstudy import bands, joint_test
from leapstudy.did.honest import breakdown, honest_bounds, honest_path
from leapstudy.did.permutation import ALPHA
from leapstudy.did.spread import t_critical
from leapstudy.did.staggered.att_gt import AttGt, Choices, Refusal, att_gt, before_after
from leapstudy.did.staggered.effects import (
    NO_MONTH,
    Card,
    Context,
    Effects,
    before_after_effects,
    cs_effects,
    estimate_rows,
)
from leapstudy.students.disclosure import MIN_GROUP, rounded_mean, season
from leapstudy.students.moments.record import NEVER, Moments
from leapstudy.study.student_publish import nearest, without_few, without_residue
from leapstudy.study.student_results import (
    DESIGN_LABELS,
    HEADLINE_ONLY,
    PATH_COLUMNS,
    RECOMMENDED,
    DesignAnswer,
    DesignName,
    PreTrend,
    Reason,
    StudentBounds,
)

# Months before the visit in the joint test: half a school year and more.
MONTHS_TESTED = 6
# Months before the visit that are shown.
MONTHS_BEFORE = 9


def path_frame(effects: Effects, months_after: int, seed: int | None) -> pd.DataFrame:
    """Return the path from `MONTHS_BEFORE` the visit to `months_after` it, with its intervals.

    `seed` is that of the draws behind the simultaneous band; None leaves that band empty.
    """
    window = np.flatnonzero((effects.key >= -MONTHS_BEFORE) & (effects.key <= months_after))
    estimate, covariance = effects.estimate[window], effects.covariance[np.ix_(window, window)]
    se = effects.se[window]
    reach = t_critical(effects.df) * se
    ends: tuple[np.ndarray, ...] = (estimate - reach, estimate + reach, *np.full((2, len(window)), np.nan))
    if seed is not None:
        band = bands(estimate, covariance, effects.df, seed)
        ends = band.low, band.high, band.low_sup, band.high_sup
    columns = (effects.key[window].astype(int), estimate, se, *ends)
    return pd.DataFrame(dict(zip(PATH_COLUMNS, columns, strict=True)))


def headline_row(effects: Effects, context: Context, seed: int | None = None) -> Estimate:
    """Return the mean over the months of `HEADLINE` as a row of `estimates.csv`; `seed` where a draw made the sample.

    `post` names the months that are in it, which are fewer where the file ends early.
    """
    return replace(estimate_rows(effects, context)[-1], post=months_words(effects.key), seed=seed)


def months_words(key: np.ndarray) -> str:
    """Return which of the headline's months are among the event times, such as "months 1 to 4" or "months 1, 3, 4"."""
    inside = [int(event) for event in key if HEADLINE[0] <= event <= HEADLINE[1]]
    if len(inside) == 1:
        return f"month {inside[0]}"
    if inside == list(range(inside[0], inside[-1] + 1)):
        return f"months {inside[0]} to {inside[-1]}"
    return f"months {', '.join(map(str, inside))}"


def months_named(words: str) -> list[int]:
    """Return the event times that `months_words` names.

    Examples
    --------
    >>> months_named("months 1 to 4"), months_named("months 1, 3, 4"), months_named("month 2")
    ([1, 2, 3, 4], [1, 3, 4], [2])
    """
    months = [int(number) for number in re.findall(r"\d+", words)]
    return list(range(months[0], months[-1] + 1)) if " to " in words else months


def month_rows(effects: Effects, context: Context, months_after: int) -> list[Estimate]:
    """Return the rows by month since the first visit, from `MONTHS_BEFORE` it to `months_after` it."""
    rows = estimate_rows(effects, context)[:-1]
    return [row for row in rows if row.event_time is not None and -MONTHS_BEFORE <= row.event_time <= months_after]


# Departures shown, in multiples of the largest one before.
SHOWN = (0.5, 1.0)
# Where the search for the breakdown value ends.
FARTHEST = 2.0


def headline_bounds(effects: Effects | None) -> StudentBounds | None:
    """Bound the mean effect over the headline's months; None where a month around the visit is missing.

    Parameters
    ----------
    effects
        The recommended design by event time, its overall effect last.

    Notes
    -----
    Relative magnitudes, through `did.honest`. A step is one month of the path; cohorts of early fall have a summer
    between base and visit, which counts as one step too.
    """
    if effects is None:
        return None
    path, _ = attempt(honest_path, effects, (-MONTHS_TESTED, HEADLINE[1]), HEADLINE)
    if path is None:
        return None
    reach = ndtri(1 - ALPHA / 2) * effects.se[-1]
    plain = pd.DataFrame({"m": [0.0], "low_pp": effects.estimate[-1] - reach, "high_pp": effects.estimate[-1] + reach})
    robust = honest_bounds(path, "relative_magnitudes", SHOWN).rename(columns={"bound": "m"})
    breakdown_at = breakdown(path, "relative_magnitudes", FARTHEST)
    return StudentBounds(
        pd.concat([plain, robust[list(plain)]], ignore_index=True),
        breakdown_at if np.isfinite(breakdown_at) else None,
        float(np.abs(np.diff(np.append(path.estimate[: path.n_pre], 0.0))).max()),
        path.n_pre,
    )


NEVER_VISITED = "never visited"


def _sums(moments: Moments, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return students and summed attendance by period of some cells, shapes (T,)."""
    students = moments.students[rows] @ moments.seen[rows]
    weight = moments.weight[rows] @ moments.seen[rows]
    mean = np.divide(moments.total[rows].sum(axis=0), weight, out=np.zeros(len(weight)), where=weight > 0)
    return students, (mean + moments.shift) * students


def _may_be_shown(students: np.ndarray) -> np.ndarray:
    """Return where a group of all districts may be shown, from its students by district, shapes (D, T) to (T,).

    The districts in which it may not be shown are what all have more than those shown: nobody, or a group.
    """
    hidden = np.where(students < MIN_GROUP, students, 0).sum(axis=0)
    return (students.sum(axis=0) >= MIN_GROUP) & ((hidden == 0) | (hidden >= MIN_GROUP))


def _by_district(moments: Moments, rows: np.ndarray) -> np.ndarray:
    """Return the students of some cells by district and period, shape (D, T)."""
    places = np.unique(moments.district)
    return np.array([_sums(moments, rows & (moments.district == place))[0] for place in places])


def raw_paths(moments: Moments) -> pd.DataFrame:
    """Return mean attendance by month for each season of first visits and for the never visited.

    Parameters
    ----------
    moments
        Of one district, or of all.

    Returns
    -------
    pandas.DataFrame
        month (``YYYY-MM``), group, rate_pct. Months in which a group has too few students to be shown are left out.
    """
    groups = np.array([NEVER_VISITED if g == NEVER else season(int(g)) for g in moments.cohort])
    parts = [
        pd.DataFrame(
            {"month": pd.Series(dtype="str"), "group": pd.Series(dtype="str"), "rate_pct": pd.Series(dtype=float)}
        )
    ]
    for group in sorted(set(groups)):
        students, sums = _sums(moments, groups == group)
        publishable = _may_be_shown(_by_district(moments, groups == group))
        months = [f"{period // 12}-{period % 12 + 1:02d}" for period in moments.periods[publishable]]
        rates = rounded_mean(sums[publishable] / students[publishable], students[publishable])
        parts.append(pd.DataFrame({"month": months, "group": group, "rate_pct": rates}))
    return pd.concat(parts, ignore_index=True)


def rebound(placebo: Moments) -> pd.DataFrame:
    """Return mean attendance around the month in which the rule would have picked a student, and that of the others.

    Parameters
    ----------
    placebo
        Moments of the placebo program: cohorts are months of being picked, nobody was visited.

    Returns
    -------
    pandas.DataFrame
        event_time, picked_pct, others_pct. The others are averaged over the same months, with the picked students'
        numbers as weights. Months with too few others, and event times with too few picked, are left out.
    """
    others_n, others_sum = _sums(placebo, placebo.cohort == NEVER)
    enough = others_n >= MIN_GROUP
    others = np.divide(others_sum, others_n, out=np.zeros(len(others_n)), where=enough)
    rows, counts = [], []
    for cohort in np.unique(placebo.cohort[placebo.cohort < NEVER]):
        own = placebo.cohort == cohort
        students, sums = (part * enough for part in _sums(placebo, own))
        since = (placebo.periods - cohort).astype(int)
        own_sums = {"event_time": since, "n": students, "picked": sums, "others": others * students}
        # a student's weight among the others is at most that of the month with the fewest of them
        rows.append(pd.DataFrame({**own_sums, "fewest": np.where(students > 0, others_n, np.inf)}))
        counts.append(pd.DataFrame((_by_district(placebo, own) * enough).T, index=since))
    if not rows:
        return pd.DataFrame(columns=["event_time", "picked_pct", "others_pct"], dtype=float)
    table = (
        pd.concat(rows)
        .groupby("event_time", as_index=False)
        .agg({"n": "sum", "picked": "sum", "others": "sum", "fewest": "min"})
    )
    table = table[_may_be_shown(pd.concat(counts).groupby(level=0).sum().to_numpy().T)]
    return pd.DataFrame(
        {
            "event_time": table["event_time"],
            "picked_pct": rounded_mean(table["picked"] / table["n"], table["n"]),
            "others_pct": rounded_mean(table["others"] / table["n"], table["fewest"]),
        }
    ).reset_index(drop=True)


FEW = f"Fewer than {MIN_GROUP} visited or comparison students are left."


@dataclass(frozen=True, slots=True)
class Found:
    """What one design found: its effects, or None, and in words what it refused and why."""

    effects: Effects | None
    refused: tuple[str, ...] = ()


def plain_designs(moments: Moments, early: tuple[int, int]) -> dict[DesignName, Found]:
    """Estimate the designs that need no risk sets; what cannot be formed is refused in words.

    Parameters
    ----------
    moments
        Of one district, or of all.
    early
        Months before the visit of the early base window, such as (6, 4).
    """
    last = Choices(base="universal")
    return {
        "before_after": found_by(
            moments, lambda own: before_after(own, last), lambda att: before_after_effects(moments, att, HEADLINE)
        ),
        "never": _callaway(moments, last),
        "not_yet": _callaway(moments, Choices(control="not_yet", base="universal")),
        "early": _callaway(moments, Choices(base="universal", early=early)),
    }


def _callaway(moments: Moments, choices: Choices) -> Found:
    return found_by(moments, lambda own: att_gt(own, choices), lambda att: cs_effects(moments, att, events=HEADLINE))


def found_by(moments: Moments, estimate: Callable[[Moments], AttGt], average: Callable[[AttGt], Effects]) -> Found:
    """Return effects from ATT(g,t), refused where no month after a visit or too few students are left.

    Of all districts together only months are used in which the districts that may not be shown are nobody or a group.
    """
    visited = np.unique(moments.district[moments.cohort < NEVER])
    parts = [estimate(moments.where(moments.district == code)) for code in visited if len(visited) > 1]
    att = without_few(without_residue(estimate(moments), parts))
    effects, why = attempt(average, att)
    if effects is None:
        return Found(None, (*refusal_words(att.refused), why))
    return enough_students(effects, refusal_words(att.refused))


# Points; a smaller standard error is rounding: nothing varies, and nothing can be judged by it.
LEAST_SE = 1e-9

ALIKE = "All students change alike, so that there is no variation to judge an effect by."
NO_OVERLAP = "No overlap: "
_BEGINNINGS: dict[str, Reason] = {
    FEW: "few",
    ALIKE: "alike",
    NOBODY_FOLLOWED: "followed",
    NO_STRATUM: "comparison",
    NO_MONTH: "months",
    NO_OVERLAP: "overlap",
}


def why_none(sentences: Sequence[str]) -> Reason:
    """Return the reason of a missing effect by the first of its sentences that gives one."""
    reasons = (why for words in sentences for start, why in _BEGINNINGS.items() if words.startswith(start))
    return next(reasons, "followed")


def enough_students(effects: Effects, reasons: tuple[str, ...]) -> Found:
    """Refuse effects of a group that is too small to be shown, or whose students all change alike."""
    card = effects.card
    if card.n_treated < MIN_GROUP or 0 < card.n_comparison < MIN_GROUP:
        return Found(None, (FEW, *reasons))
    if not effects.se[-1] > LEAST_SE:
        return Found(None, (ALIKE, *reasons))
    return Found(effects, reasons)


def refusal_words(refusals: Sequence[Refusal]) -> tuple[str, ...]:
    """Return refused cells by reason and number; a share of a month's few students would point to them."""
    return tuple(
        f"{counted(count, 'cell')}: {reason}." for reason, count in Counter(item.reason for item in refusals).items()
    )


def design_answers(
    visited: Mapping[DesignName, Found],
    placebo: Mapping[DesignName, Found],
    where: Context,
    months_after: int,
    seed: int,
) -> tuple[DesignAnswer, ...]:
    """Put each design's answer beside what it finds where nobody was visited.

    Parameters
    ----------
    visited, placebo
        By design; a placebo that is missing could not be formed.
    where
        District, outcome and edition of the rows.
    months_after
        Months since the first visit that are shown.
    seed
        Of the placebo draw and of the simultaneous bands.
    """
    return tuple(
        _design(name, visited[name], placebo.get(name, Found(None)), where, months_after, seed)
        for name in DESIGN_LABELS
        if name in visited
    )


def _design(
    name: DesignName, visited: Found, placebo: Found, where: Context, months_after: int, seed: int
) -> DesignAnswer:
    band_seed = seed if name == RECOMMENDED else None
    effects, empty = visited.effects, pd.DataFrame(columns=list(PATH_COLUMNS), dtype=float)
    return DesignAnswer(
        name=name,
        path=empty if effects is None or name in HEADLINE_ONLY else path_frame(effects, months_after, band_seed),
        placebo_path=empty
        if placebo.effects is None or name in HEADLINE_ONLY
        else path_frame(placebo.effects, months_after, band_seed),
        main=None if effects is None else headline_row(effects, _context(name, where, "main")),
        placebo=None
        if placebo.effects is None
        else headline_row(placebo.effects, _context(name, where, "placebo"), seed),
        overlap=0.0 if effects is None else effects.card.overlap,
        refused=visited.refused,
        card=() if effects is None else _round(effects.card).lines(),
        why_none=why_none(visited.refused) if effects is None else None,
    )


def _round(card: Card) -> Card:
    return replace(card, n_treated=nearest(card.n_treated), n_comparison=nearest(card.n_comparison))


def _context(name: DesignName, where: Context, role: str) -> Context:
    """Return the context of a design's rows; designs beside the recommended one are sensitivity checks."""
    own_role = role if role == "placebo" or name == RECOMMENDED else "sensitivity"
    return replace(where, role=own_role)  # type: ignore[arg-type]


# Estimator of the rows of students who were referred and not met.
CONTROL = "cs_at_risk_not_met"


def control_row(effects: Effects | None, where: Context) -> Estimate | None:
    """Return the recommended design's headline among students who were referred and not met; None where refused."""
    if effects is None:
        return None
    return replace(headline_row(effects, _context(RECOMMENDED, where, "placebo")), estimator=CONTROL)


def estimate_table(
    designs: Sequence[DesignAnswer],
    visited: Mapping[DesignName, Found],
    control: Estimate | None,
    where: Context,
    months_after: int,
) -> tuple[Estimate, ...]:
    """Return the rows of `estimates.csv`: the headline of each design, its placebo, the control, then the months."""
    heads = sorted(
        designs, key=lambda item: item.name != RECOMMENDED
    )  # the recommended one first: pages read the first
    rows = [row for item in heads for row in (item.main, item.placebo) if row is not None]
    rows += [] if control is None else [control]
    for item in heads:
        effects = visited[item.name].effects
        if effects is not None and item.name not in HEADLINE_ONLY:
            rows += month_rows(effects, _context(item.name, where, "main"), months_after)
    return tuple(rows)


def pre_trend(effects: Effects | None) -> PreTrend | None:
    """Return the joint test of the months before the visit; None where there are none to test."""
    if effects is None:
        return None
    # months in which an effect is allowed are not tested; the overall has no key and stays out
    in_test = (effects.key >= -MONTHS_TESTED) & (effects.key < -effects.card.anticipation) & (effects.se > 0)
    months = np.flatnonzero(in_test)
    covariance = effects.covariance[np.ix_(months, months)]
    test = joint_test(effects.estimate[months], covariance, effects.drift[months], effects.df)
    return None if np.isnan(test.p_value) else PreTrend(test.p_value, test.slope, len(months))
