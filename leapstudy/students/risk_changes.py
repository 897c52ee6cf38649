"""The risk set of each month inside the engine: who was at risk of a first visit, and how each changed since the base.

A student stands in the risk set of every month up to the own first visit, so it may be comparison many times. What it
adds to an estimate is the sum over all of them, and only inside the engine can that sum be squared: the first query
returns sums by stratum, the second sums of products of influence. No row leaves.

A stratum is a district, a band of absence before the month, and whether the student was referred in an earlier month
and still waits: those who wait were picked before, and are compared with each other only. Who stays unvisited is no lot
either, for a rule picks whoever comes to be absent. So a comparison student who is still unvisited stands for those
alike who are not, by the inverse of the chance to have stayed (Robins and Finkelstein 2000, Biometrics 56: 779-788).

Rows of changes (students x risk sets x months) are never kept: they are formed anew in each pass from the risk sets
and the monthly rates, both by a number for each student, and the second pass goes by ranges of that number.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import ibis
import numpy as np
import pandas as pd
from ibis.expr.types import FloatingValue, IntegerValue, Table

from leapstudy.students.disclosure import VISIT_COUNTS
from leapstudy.students.engine import held, in_memory, keep, sealed
from leapstudy.students.handle import StudentData, engine_table, visit_table
from leapstudy.students.lookback import by_rule, lookbacks
from leapstudy.students.moments.pivot import month_number
from leapstudy.students.referral_rule import CUTS, ReferralRule
from leapstudy.students.visits import grade_band

# Percent of days missed in the rule's window at which a new absence band begins: at each cut of a rule, since
# in a band across the cut some could be picked and others not.
BAND_EDGES = (2, *CUTS)

# Calendar months before and after the first visit for which changes are kept.
MONTHS_AROUND = 9

# Influences (students x event times x groups) that the second pass forms at a time; eight bytes each.
AT_ONCE = 20_000_000

# Parts of the visited students; the comparison students are the same for each part.
Split = Literal["", "grade_band", "visits"]

STRATUM = ("district_code", "band", "waiting")
PLACE = ["g", "t", *STRATUM]
CELL = ("g", "t", "treated", *STRATUM)


@dataclass(frozen=True, slots=True, repr=False)
class RiskChanges:
    """Risk sets and rates as engine tables, from which every change follows; its repr holds no row.

    Attributes
    ----------
    people : Table
        One row per student: who (a number, in order of district), district_code, grade_band, visits.
    sets : Table
        One row per student and risk set: who, `STRATUM`, g, base (month numbers), base_y, cohort and ends (month of the
        own first visit, and of the end of being at risk; null for never), stayed (log-chance up to g).
    rates : Table
        who, t (month number), y (percent of enrolled days attended), stayed (log-chance up to t).
    """

    people: Table
    sets: Table
    rates: Table

    def __repr__(self) -> str:
        return "RiskChanges(rows never leave the database)"


def risk_changes(data: StudentData, rules: Sequence[ReferralRule]) -> RiskChanges:
    """Form the risk set of each cohort and compute once how its students stood before it.

    At risk in month g are students seen in the last school month before g who had no visit before g. Their band is
    the share of days missed in the window that the own district's rule looks at. A student stops being comparison in
    the month of the own first visit. The base is the last school month before g.

    Parameters
    ----------
    data
        The students, or a placebo program.
    rules
        From `find_rules`; the rule of all districts, last, stands for districts without a referral.
    """
    panel = engine_table(data)
    con = panel.get_backend()
    people = keep(con, "numbering the students", _people(panel, data))
    rows = panel.drop("district_code").join(people.select("student", "who", "district_code"), "student")
    rows = rows.drop("student").rename(student="who")
    with held("forming the risk sets", _sets(rows, people, rules)) as sets:
        rates = rows.select(
            who="student", t=month_number(rows.month), y=100 * rows.days_attended / rows.days_enrolled.nullif(0)
        )
        rates = rates.filter(rates.y.notnull())
        with held("weighing who stayed", _stay(sets, rates)) as stay:
            rates = keep(con, "forming the rates", rates.join(stay, ["who", "t"]).order_by("who"))
            bases = rates.select("who", base="t", base_y="y")
            at_g = stay.rename(g="t")
            sets = keep(con, "following the risk sets", sets.join(bases, ["who", "base"]).join(at_g, ["who", "g"]))
    return RiskChanges(people.select("who", "grade_band", "visits"), sets, rates)


def _sets(rows: Table, people: Table, rules: Sequence[ReferralRule]) -> Table:
    cohorts = people.filter(people.ends.notnull()).select(g=people.ends).distinct()
    history = lookbacks(rows).drop("district_code")
    risk = history.join(cohorts, [cohorts.g <= history.decided, cohorts.g > history.month])
    risk = risk.join(people.drop("student"), risk.student == people.who)
    risk = risk.filter(risk.ends.isnull() | (risk.ends >= risk.g))
    share = window_share(risk, rules)
    return risk.filter(share.notnull()).select(
        "who",
        "district_code",
        g=month_number(risk.g),
        base=month_number(risk.month),
        band=absence_band(share),
        waiting=(risk.referral < risk.g).fill_null(False),
        cohort=month_number(risk.cohort).nullif(0),
        ends=month_number(risk.ends).nullif(0),
    )


def _stay(sets: Table, rates: Table) -> Table:
    """Return who, t and the summed log-chance to have stayed at risk up to and in that month.

    The chance is the share of the stratum that is not picked in the month; a whole one that is leaves nobody to weigh.
    """
    picks = log_chances(sets).select("who", "log", t="g")
    months = rates.select("who", "t", log=ibis.literal(0.0))
    each = picks.union(months).group_by(["who", "t"]).agg(log=lambda rows: rows.log.sum())
    order = ibis.cumulative_window(group_by=each.who, order_by=each.t)
    return each.select("who", "t", stayed=each.log.sum().over(order))


def log_chances(sets: Table) -> Table:
    """Add `share`, of the whole stratum picked in the month g of a risk set, and `log`, of the chance not to be."""
    leaver = (sets.ends == sets.g).fill_null(False).cast("float64")
    share = leaver.mean().over(ibis.window(group_by=[sets.g, *(sets[name] for name in STRATUM)]))
    return sets.mutate(share=share, log=ibis.ifelse(share < 1, (1 - share).ln(), 0.0))


def _people(panel: Table, data: StudentData) -> Table:
    """Number the students in order of their first district, so that a range of numbers is a few districts."""
    ends = panel.risk_ends if "risk_ends" in panel.columns else panel.first_visit_month
    students = panel.group_by("student").agg(
        cohort=panel.first_visit_month.max(),
        ends=ends.max(),
        district_code=panel.district_code.argmin(panel.month),
        grade_band=grade_band(panel.grade.argmin(panel.month)),
    )
    order = ibis.window(order_by=[students.district_code, students.student])
    students = students.mutate(who=ibis.row_number().over(order).cast("int64"))
    students = students.left_join(_visits(data), "student", rname="{name}_log").drop("student_log")
    return students.left_join(first_referrals(data), "student", rname="{name}_log").drop("student_log")


def first_referrals(data: StudentData) -> Table:
    """Return student and month of the first referral; in a program without a log nobody waits."""
    if not data.has_log:
        return engine_table(data).select("student", referral="month").limit(0)
    log = visit_table(data)
    return log.group_by("student").agg(referral=log.referral_date.min().truncate("M"))


def window_share(rows: Table, rules: Sequence[ReferralRule]) -> FloatingValue:
    """Return the percent missed in the window that the own district's rule looks at."""
    return by_rule(rows, rules, lambda rule: rows[rule.window])


def absence_band(share: FloatingValue) -> IntegerValue:
    """Return the number of the band that a percent missed falls in, from 0."""
    number = ibis.literal(0, "int64")
    for edge in BAND_EDGES:
        number = number + (share >= edge).cast("int64")
    return number


def _visits(data: StudentData) -> Table:
    """Return student and number of days with a completed visit as text; in a placebo program there are none."""
    if not data.has_log:
        return engine_table(data).select("student", visits=ibis.literal("0")).limit(0)
    log = visit_table(data)
    met = log.group_by("student").agg(met=log.visit_date.nunique(where=log.completed))
    return met.select(
        "student", visits=ibis.ifelse(met.met >= len(VISIT_COUNTS), VISIT_COUNTS[-1], met.met.cast("string"))
    )


def _of_visited(changes: RiskChanges, split: Split) -> Table:
    """Return the changes of students in the risk set of their own first visit, with their `part`."""
    sets = changes.sets.filter(changes.sets.cohort == changes.sets.g)
    part = changes.people.select("who", part=changes.people[split].fill_null("") if split else ibis.literal(""))
    return _changes(sets.join(part, "who"), changes.rates).mutate(weight=ibis.literal(1.0))


def _of_comparison(changes: RiskChanges) -> Table:
    """Return the changes of the other students of each risk set, up to the month before their own first visit."""
    sets = changes.sets.filter(changes.sets.cohort.isnull() | (changes.sets.cohort != changes.sets.g))
    rows = _changes(sets, changes.rates)
    rows = rows.filter(rows.ends.isnull() | (rows.ends > rows.t))
    return rows.mutate(weight=ibis.ifelse(rows.t < rows.g, 1.0, (rows.stayed - rows.stayed_then).exp()))


def _changes(sets: Table, rates: Table) -> Table:
    rows = sets.join(rates, "who", rname="{name}_then")
    near = (rows.t - rows.g).between(-MONTHS_AROUND, MONTHS_AROUND)
    rows = rows.filter((rows.t != rows.base) & near)
    return rows.mutate(change=rows.y - rows.base_y)


def change_sums(changes: RiskChanges, splits: Sequence[Split] = ("",)) -> dict[Split, pd.DataFrame]:
    """Return students, their weights and weighted changes by risk set, month, side and stratum, for each split.

    Parameters
    ----------
    changes
        From `risk_changes`.
    splits
        Parts of the visited students; comparison students have an empty `part` and are summed once.

    Returns
    -------
    dict
        Split -> frame with the columns `CELL`, part, students, weight, total, base. Cells are small: for programs only.
    """
    comparison = _sums(_of_comparison(changes), PLACE).assign(treated=False, part="")
    sums: dict[Split, pd.DataFrame] = {}
    for split in splits:
        visited = _sums(_of_visited(changes, split), [*PLACE, "part"]).assign(treated=True)
        both = pd.concat([visited, comparison], ignore_index=True)
        sums[split] = both.sort_values([*CELL, "part"], ignore_index=True)
    return sums


def _sums(rows: Table, by: list[str]) -> pd.DataFrame:
    sums = rows.group_by(by).agg(
        students=rows.count(), weight=rows.weight.sum(), total=(rows.weight * rows.change).sum(), base=rows.base.min()
    )
    return sealed("summing the changes", sums.to_pandas)


def cohort_sizes(changes: RiskChanges, split: Split = "") -> pd.DataFrame:
    """Return the number of visited students by district_code, g and part."""
    rows = _of_visited(changes, split)
    sizes = rows.group_by(["district_code", "g", "part"]).agg(students=rows.who.nunique())
    return sealed("counting the cohorts", lambda: sizes.order_by(["district_code", "g", "part"]).to_pandas())


def influence_products(
    changes: RiskChanges,
    coefficients: Mapping[Split, pd.DataFrame],
    shares: Mapping[Split, pd.DataFrame],
    headline: tuple[int, int],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Square each student's summed influence inside the engine, and count who is compared: the second pass.

    Parameters
    ----------
    changes
        From `risk_changes`.
    coefficients
        For each split grp, `CELL`, part, intercept, slope: a student in such a cell moves the average at event time
        ``t - g`` of the group `grp` by ``weight * (intercept + slope * change)``.
    shares
        For each split grp, district_code, g, part, key, intercept: that cohort sizes are estimated moves the average
        at event time `key` by so much for each visited student of the cohort.
    headline
        First and last event time of the overall mean.

    Returns
    -------
    tuple of pandas.DataFrame
        grp, key, key_of, product: the sum over students of the product of their influences. And grp, key (missing for
        the headline), students: how many are comparison at that event time in a stratum in use, each counted once.

    Notes
    -----
    A student belongs to one district, so groups of different districts share a column here (their lane), and one row
    per student and event time carries all groups that the student can be in.
    """
    every = pd.concat(coefficients.values(), ignore_index=True)
    lanes = _lanes(every[["grp", "district_code"]].drop_duplicates())
    count = int(lanes["lane"].max()) + 1
    comparison = in_memory(_wide(every[~every["treated"]].merge(lanes, on=["grp", "district_code"]), count))
    parts = []
    for low, high in _ranges(changes.people, count):
        some = RiskChanges(changes.people, *(_between(table, low, high) for table in (changes.sets, changes.rates)))
        amounts = _compared_amounts(some, comparison, count).union(
            _visited_amounts(some, coefficients, shares, lanes, count)
        )
        parts.append(_summed_amounts(amounts, count, headline))
    products, counts = (pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True))
    half = _by_group(products, ["key", "key_of"], "product", lanes)
    other = half[half["key"] != half["key_of"]].rename(columns={"key": "key_of", "key_of": "key"})
    return pd.concat([half, other], ignore_index=True), _by_group(counts, ["key"], "students", lanes)


def _by_group(wide: pd.DataFrame, by: list[str], value: str, lanes: pd.DataFrame) -> pd.DataFrame:
    """Add up what stands in the column of a group's lane, over districts and ranges."""
    long = wide.melt(["district_code", *by], var_name="lane", value_name=value)
    long = long.assign(lane=long["lane"].astype(int)).merge(lanes, on=["district_code", "lane"])
    return long.groupby(["grp", *by], as_index=False, dropna=False)[value].sum()


def _lanes(groups: pd.DataFrame) -> pd.DataFrame:
    """Give each group a column, and groups of one district each the same columns as those of the others."""
    single = groups.groupby("grp")["district_code"].transform("size") == 1
    wide = groups[~single].assign(lane=lambda rows: rows["grp"].rank(method="dense").astype(int) - 1)
    first = int(wide["lane"].max()) + 1 if len(wide) else 0
    own = groups[single].assign(lane=lambda rows: first + rows.groupby("district_code").cumcount())
    return pd.concat([wide, own], ignore_index=True)


def _wide(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """Put the coefficients of all groups of a stratum into one row: i0, s0, i1, s1 and so on, 0 where there is none."""
    place, strata = pd.factorize(pd.MultiIndex.from_frame(rows[PLACE]))
    columns: dict[str, np.ndarray] = {}
    for name, letter in (("intercept", "i"), ("slope", "s")):
        values = np.zeros((len(strata), count))
        values[place, rows["lane"]] = rows[name]
        columns |= {f"{letter}{lane}": values[:, lane] for lane in range(count)}
    keys = pd.DataFrame(list(strata), columns=PLACE)
    return pd.concat([keys, pd.DataFrame(columns)], axis=1)


def _ranges(people: Table, lanes: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of student numbers, low inclusive, for which the influences fit into `AT_ONCE`."""
    students = sealed("counting the students", people.count().execute)
    size = max(1, AT_ONCE // (lanes * (2 * MONTHS_AROUND + 1)))
    return pairwise([*range(0, students, size), students])


def _between(table: Table, low: int, high: int) -> Table:
    return table.filter((table.who >= low) & (table.who < high))


def _compared_amounts(changes: RiskChanges, wide: Table, count: int) -> Table:
    """Return who, district_code, key, the amounts a0, a1 ... of comparison students, and in n0, n1 ... 1 for in use."""
    rows = _of_comparison(changes).join(wide, PLACE)
    rows = rows.mutate(key=rows.t - rows.g)
    amounts = {
        f"a{lane}": (rows.weight * (rows[f"i{lane}"] + rows[f"s{lane}"] * rows.change)).sum() for lane in range(count)
    }
    flags = {f"n{lane}": (rows[f"s{lane}"] != 0).cast("int8").max() for lane in range(count)}
    return rows.group_by(["who", "district_code", "key"]).agg(**amounts, **flags)


def _visited_amounts(
    changes: RiskChanges,
    coefficients: Mapping[Split, pd.DataFrame],
    shares: Mapping[Split, pd.DataFrame],
    lanes: pd.DataFrame,
    count: int,
) -> Table:
    """Return the same of visited students in the risk set of their own first visit, with the terms of cohort sizes."""
    parts = []
    for split, table in coefficients.items():
        rows = _of_visited(changes, split)
        on_own = table[table["treated"]].merge(lanes, on=["grp", "district_code"])
        both = rows.join(in_memory(on_own[[*PLACE, "part", "lane", "intercept", "slope"]]), [*PLACE, "part"])
        amount = both.intercept + both.slope * both.change
        parts.append(both.select("who", "district_code", "lane", key=both.t - both.g, amount=amount))
        cohorts = ["district_code", "g", "part"]
        sizes = shares[split].merge(lanes, on=["grp", "district_code"]).astype({"key": "int64"})
        both = rows.select("who", *cohorts).distinct().join(in_memory(sizes.drop(columns="grp")), cohorts)
        parts.append(both.select("who", "district_code", "lane", key="key", amount=both.intercept))
    every = ibis.union(*parts) if len(parts) > 1 else parts[0]
    amounts = {f"a{lane}": ibis.ifelse(every.lane == lane, every.amount, 0.0).sum() for lane in range(count)}
    each = every.group_by(["who", "district_code", "key"]).agg(**amounts)
    return each.mutate(**{f"n{lane}": ibis.literal(0, "int8") for lane in range(count)})


def _summed_amounts(amounts: Table, count: int, headline: tuple[int, int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return sums over students with a column per lane: products by district_code, key and key_of (not below key), and
    how many are compared by district_code and key.
    """
    sums = {f"a{lane}": amounts[f"a{lane}"].sum() for lane in range(count)}
    flags = {f"n{lane}": amounts[f"n{lane}"].max() for lane in range(count)}
    each = amounts.group_by(["who", "district_code", "key"]).agg(**sums, **flags)
    with held("summing each student's influence", each) as rows:
        counts = _counts(rows, count, headline)
        other = rows.view().rename("{name}_of")
        pairs = rows.join(other, [rows.who == other.who_of, rows.key <= other.key_of])
        products = {str(lane): (pairs[f"a{lane}"] * pairs[f"a{lane}_of"]).sum() for lane in range(count)}
        squares = pairs.group_by(["district_code", "key", "key_of"]).agg(**products)
        return sealed("squaring each student's influence", squares.to_pandas), counts


def _counts(each: Table, count: int, headline: tuple[int, int]) -> pd.DataFrame:
    """Return how many are compared by district_code and key, and apart, without a key, within the headline."""
    flags = {f"n{lane}": each[f"n{lane}"].max() for lane in range(count)}
    once = each.filter(each.key.between(*headline)).group_by(["who", "district_code"]).agg(**flags)
    tables = [
        rows.group_by(by).agg(**{str(lane): rows[f"n{lane}"].sum() for lane in range(count)})
        for rows, by in ((each, ["district_code", "key"]), (once, ["district_code"]))
    ]
    return pd.concat([sealed("counting the comparison students", table.to_pandas) for table in tables])
