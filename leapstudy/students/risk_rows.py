"""Students in risk sets as numbers without names, for estimators that need a continuous history.

One row is a student at risk in the month of a cohort: seen in the last school month before it, and not picked before.
What is kept of the history lies before that month; the change is what came after it. The record shows none of its
numbers, and nothing of it is written anywhere.

Who stays unvisited until an outcome is known is no lot: a rule picks whoever comes to be absent, so that those who are
left come to miss little. A comparison row counts only where its student stayed to the end of what is compared, and
stands there for those alike who did not, by the inverse of the chance to have stayed (Robins and Finkelstein 2000).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import ibis
import numpy as np
import pandas as pd
from ibis.expr.types import BooleanValue, IntegerValue, Table

from leapstudy.core.errors import BadInput
from leapstudy.core.names import check_option
from leapstudy.students.engine import held, keep, sealed
from leapstudy.students.handle import Size, StudentData, engine_table
from leapstudy.students.lookback import lookbacks
from leapstudy.students.moments.pivot import month_number
from leapstudy.students.referral_rule import WINDOWS, ReferralRule
from leapstudy.students.risk_changes import STRATUM, absence_band, first_referrals, log_chances, window_share
from leapstudy.students.visits import grade_band

# What begins a cohort: the first completed visit, or the first referral.
Event = Literal["visit", "referral"]

# Rows of a side, picked or not; beyond this they are sampled by a hash of student and month.
MOST_ROWS = 30_000
HEX_DIGITS = 6
# Months after the month of a visit within which the last value of an outcome counts.
WITHIN = 6


@dataclass(frozen=True, slots=True, repr=False)
class RiskRows:
    """N rows; its repr shows none of them.

    Attributes
    ----------
    change : ndarray, shape (N,)
        Mean attendance over the months after, less that of the last school month before; points. NaN where unseen,
        and where a comparison student was picked before the end of the months after.
    weight : ndarray, shape (N,)
        Inverse of a comparison student's chance to have stayed unpicked to that end; 1 for the picked.
    picked : ndarray of bool, shape (N,)
    history : ndarray, shape (N, K)
        Percent missed in each look-back window, its square and the rule's absence band; attendance of the own school's
        other students at risk; grade band and need (missing as a column of its own); month of the risk set and
        district. Bands in which nobody was ever picked have nobody alike, and no rows.
    student, school, district : ndarray of int, shape (N,)
        Numbers that stand for them.
    exposure : ndarray, shape (N,)
        Share of the own school's students who were picked by the end of the months after, less the share that was to
        be expected of those at risk there. The share itself is no lot: many are picked where many come to be absent
        (Borusyak and Hull 2023, Econometrica 91(6), recentered exposure).
    """

    change: np.ndarray
    weight: np.ndarray
    picked: np.ndarray
    history: np.ndarray
    student: np.ndarray
    school: np.ndarray
    district: np.ndarray
    exposure: np.ndarray

    def __repr__(self) -> str:
        return f"RiskRows({len(self.change)} rows, {self.history.shape[1]} columns of history; numbers are not shown)"


@dataclass(frozen=True, slots=True, repr=False)
class RiskSets:
    """The students of all risk sets with their history, kept in the engine; its repr holds no row.

    `stays` holds, for the students of `rows`, the log-chance not to be picked in each month at risk: student, h, log.
    `luck` holds how many more students than expected each school had picked in a month: school_code, h, more.
    """

    panel: Table
    rows: Table
    stays: Table
    luck: Table

    def __repr__(self) -> str:
        return "RiskSets(rows never leave the database)"


def risk_sets(data: StudentData, rules: Sequence[ReferralRule], event: Event = "visit") -> RiskSets:
    """Form the risk sets once, with the history of their students; several outcomes may be read of them.

    Parameters
    ----------
    data
        From `open_students`, with its log where the event is a referral; or `control_program`.
    rules
        From `find_rules`: who is alike in the chance to be picked follows from their windows.
    event
        What picks a student: the first completed visit, or the first referral (intention-to-treat).

    Raises
    ------
    BadInput
        If the engine fails.
    """
    panel = panel_by(data, event)
    people = _people(panel)
    con = panel.get_backend()
    with held("forming the risk sets", _with_stratum(_at_risk(panel, people), data, rules, event)) as everybody:
        # bands in which nobody was ever picked have nobody alike; a stratum's columns are never empty
        alike = everybody.filter(everybody.picked).select(*STRATUM).distinct()
        risk = everybody.semi_join(alike, list(STRATUM))
        rows = keep(con, "sampling the risk sets", _sample(risk, data.size))
        chances = log_chances(risk.select("student", "g", "ends", "school_code", "picked", *STRATUM))
        stays = chances.semi_join(rows, "student").select("student", "log", h="g")
        more = chances.picked.cast("float64") - chances.share
        luck = chances.group_by(["school_code", "g"]).agg(more=more.sum()).rename(h="g")
        tables = keep(con, "weighing who stayed", stays), keep(con, "counting the picked by school", luck)
    return RiskSets(panel, rows, *tables)


def _people(panel: Table) -> Table:
    """Return student, cohort, ends (of being at risk) and followed_until (the visit that ends a control's months)."""
    if "risk_ends" not in panel.columns:
        panel = panel.mutate(risk_ends=panel.first_visit_month, followed_until=ibis.null("date"))
    return panel.group_by("student").agg(
        cohort=panel.first_visit_month.max(), ends=panel.risk_ends.max(), followed_until=panel.followed_until.max()
    )


def panel_by(data: StudentData, event: Event) -> Table:
    """Return the panel's expression with the cohort that `event` begins, for the package's own aggregate queries."""
    check_option("event", event, Event)
    panel = engine_table(data)
    if event == "visit":
        return panel
    first = first_referrals(data).rename(first_visit_month="referral")
    return panel.drop("first_visit_month").left_join(first, "student", rname="{name}_log").select(*panel.columns)


def _at_risk(panel: Table, people: Table) -> Table:
    """Return who was seen in the last school month before a cohort month g, and at risk until then."""
    places = panel.select("student", "month", "district_code", "school_code", "grade", "high_needs")
    history = lookbacks(panel).drop("district_code").join(places, ["student", "month"])
    cohorts = people.filter(people.cohort.notnull()).select(g=people.cohort).distinct()
    risk = history.join(cohorts, [cohorts.g <= history.decided, cohorts.g > history.month]).join(people, "student")
    risk = risk.filter(risk.ends.isnull() | (risk.ends >= risk.g))
    return risk.mutate(picked=(risk.cohort == risk.g).fill_null(False))


def _with_stratum(risk: Table, data: StudentData, rules: Sequence[ReferralRule], event: Event) -> Table:
    """Add what tells who is alike in the chance to be picked, `STRATUM`, and months as numbers."""
    risk = risk.left_join(first_referrals(data), "student", rname="{name}_log").drop("student_log")
    waiting = (risk.referral < risk.g).fill_null(False) & (event == "visit")
    risk = risk.mutate(waiting=waiting, share=window_share(risk, rules))
    risk = risk.filter(risk.share.notnull())
    return risk.mutate(
        band=absence_band(risk.share),
        g=month_number(risk.g),
        base=month_number(risk.month),
        ends=month_number(risk.ends).nullif(0),
        followed_until=month_number(risk.followed_until).nullif(0),
    )


def risk_rows(
    sets: RiskSets, months: tuple[int, int], outcome: Table | None = None, take: Literal["first", "last"] = "first"
) -> RiskRows:
    """Return the students of all risk sets with what changed for them.

    Parameters
    ----------
    sets
        From `risk_sets`.
    months
        First and last month after the event whose mean is the outcome.
    outcome
        Of another outcome than attendance: student, start, month, y of `leapstudy.students.outcomes.outcome_points`.
        The change is then that from the last period that ended before to one that began after.
    take
        Which one: the first, or the last that ended within `months`. A comparison student counts where unpicked to the
        end of the first, or of `months`. For the last, which tells who is still there, both sides are those who were
        there in the (first school) month of the event: nobody else can be met.

    Raises
    ------
    BadInput
        If nobody is at risk, or the engine fails.
    """
    risk = sets.rows
    if outcome is None:
        changes = risk.join(_attendance(risk, _rates(sets.panel), months), ["student", "g"])
    else:
        risk = _in_school(risk, sets.panel) if take == "last" else risk
        changes = risk.join(_single_values(risk, outcome, months[1], take), ["student", "g"])
    changes = changes.left_join(_stayed(changes, sets.stays), ["student", "g"], rname="{name}_of")
    changes = changes.left_join(_exposure(sets, months[1]), ["school_code", "g"], rname="{name}_at")
    table = sealed("reading the risk sets", _columns(changes).order_by(["student", "g"]).to_pandas)
    if table.empty:
        raise BadInput("Nobody who was picked is seen before and after, so that nothing can be adjusted.")
    return _record(table)


def _rates(panel: Table) -> Table:
    rows = panel.select(
        "student", t=month_number(panel.month), y=100 * panel.days_attended / panel.days_enrolled.nullif(0)
    )
    return rows.filter(rows.y.notnull())


def _sample(risk: Table, size: Size) -> Table:
    """Return up to about `MOST_ROWS` rows of each side, the same ones on every engine."""
    first, last = (np.datetime64(month, "M") for month in (size.first_month, size.last_month))
    if size.students * (last - first).astype(int) <= MOST_ROWS:  # once a month at most: nothing need be counted
        return risk
    sides = risk.aggregate(picked=risk.count(where=risk.picked), others=risk.count(where=~risk.picked))
    counts = sealed("counting the risk sets", sides.to_pyarrow).to_pylist()[0]
    if max(counts.values()) <= MOST_ROWS:
        return risk
    picked, others = (int(16**HEX_DIGITS * min(1.0, MOST_ROWS / max(1, counts[side]))) for side in ("picked", "others"))
    text = risk.student + ":" + risk.g.cast("string")
    limit = ibis.ifelse(risk.picked, f"{picked:0{HEX_DIGITS}x}", f"{others:0{HEX_DIGITS}x}")
    whole = ibis.ifelse(risk.picked, counts["picked"], counts["others"]) <= MOST_ROWS
    return risk.filter(whole | (text.hexdigest("md5").left(HEX_DIGITS) < limit))


def _attendance(risk: Table, rates: Table, months: tuple[int, int]) -> Table:
    """Return student, g, before (attendance in the base month), after (its mean over the months) and until."""
    then = risk.join(rates, "student", rname="{name}_of")
    inside = (then.t - then.g).between(*months) & _own(then, then.g + months[1])
    return then.group_by(["student", "g"]).agg(
        before=then.y.mean(where=then.t == then.base), after=then.y.mean(where=inside), until=then.g.max() + months[1]
    )


def _single_values(risk: Table, outcome: Table, within: int, take: Literal["first", "last"]) -> Table:
    """Return student, g, before (last period ended before g), after (of a period begun after g) and until."""
    values = outcome.select("student", s=month_number(outcome.start), t=month_number(outcome.month), y=outcome.y)
    then = risk.join(values, "student", rname="{name}_of")
    later = then.s > then.g
    first, last = later & _own(then, then.t), later & (then.t - then.g <= within) & _own(then, then.g + within)
    return then.group_by(["student", "g"]).agg(
        before=then.y.argmax(then.t, where=then.t < then.g),
        after=then.y.argmin(then.t, where=first) if take == "first" else then.y.argmax(then.t, where=last),
        until=then.t.min(where=first) if take == "first" else then.g.max() + within,
    )


def _in_school(risk: Table, panel: Table) -> Table:
    """Return the rows of students who are seen in the first school month that is not before g."""
    attended_months = panel.select("student", month_of=month_number(panel.month))
    months = attended_months.select("month_of").distinct()
    cohorts = risk.select("g").distinct()
    first = cohorts.join(months, months.month_of >= cohorts.g).group_by("g").agg(month_of=ibis._.month_of.min())
    return risk.join(first, "g").semi_join(attended_months, ["student", "month_of"])


def _own(then: Table, until: IntegerValue) -> BooleanValue:
    """Return which students are on their side of the risk set to the end of the month `until`."""
    end = ibis.ifelse(then.picked, then.followed_until, then.ends)
    return end.isnull() | (until < end)


def _stayed(changes: Table, stays: Table) -> Table:
    """Return student, g and the log-chance to have stayed after g up to `until`; no row where nobody was picked."""
    later = changes.select("student", "g", "until").join(stays, "student", rname="{name}_of")
    later = later.filter((later.h > later.g) & (later.h <= later.until))
    return later.group_by(["student", "g"]).agg(stayed=later.log.sum())


def _columns(rows: Table) -> Table:
    return rows.select(
        "student",
        "g",
        "picked",
        "waiting",
        "district_code",
        "school_code",
        "before",
        "after",
        *WINDOWS,
        weight=ibis.ifelse(rows.picked, 1.0, (-rows.stayed.fill_null(0.0)).exp()),
        exposure=rows.exposure.fill_null(0.0),
        absence=rows.band,
        band=grade_band(rows.grade),
        need=rows.high_needs.cast("float64"),
    )


def _exposure(sets: RiskSets, last: int) -> Table:
    """Return how many more of a school than expected were picked by `last` months after g, as a share of it."""
    size = sets.panel.group_by("school_code").agg(students=sets.panel.student.nunique())
    shares = sets.luck.join(size, "school_code").select("school_code", "h", share=ibis._.more / ibis._.students)
    then = sets.rows.select("school_code", "g").distinct().join(shares, "school_code", rname="{name}_at")
    then = then.filter(then.h <= then.g + last)
    return then.group_by(["school_code", "g"]).agg(exposure=then.share.sum())


def _record(table: pd.DataFrame) -> RiskRows:
    school = pd.factorize(table["school_code"].fillna("no school"))[0]
    district = pd.factorize(table["district_code"])[0]
    return RiskRows(
        change=(table["after"] - table["before"]).to_numpy(float),
        weight=table["weight"].to_numpy(float),
        picked=table["picked"].to_numpy(bool),
        history=_history(table, school, district),
        student=pd.factorize(table["student"])[0],
        school=school,
        district=district,
        exposure=table["exposure"].to_numpy(float),
    )


def _history(table: pd.DataFrame, school: np.ndarray, district: np.ndarray) -> np.ndarray:
    windows = table[list(WINDOWS)].to_numpy(float)
    observed = np.isfinite(windows)
    # 0 where nobody is known
    means = np.where(observed, windows, 0.0).sum(axis=0) / np.maximum(observed.sum(axis=0), 1)
    values = np.where(observed, windows, means)
    columns = [values, np.square(values) / 100, ~observed, table[["before"]].fillna(table["before"].mean())]
    mates = table.groupby([school, table["g"].to_numpy()])["before"].transform("mean").fillna(table["before"].mean())
    columns += [mates.to_numpy()[:, None], pd.get_dummies(table["band"], dummy_na=True), table[["need"]].fillna(0.5)]
    columns += [table[["waiting"]], pd.get_dummies(table["absence"])]
    columns += [pd.get_dummies(table["g"]), pd.get_dummies(pd.Series(district))]
    return np.column_stack([np.asarray(one, dtype=float) for one in columns])
