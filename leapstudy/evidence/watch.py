"""Whether a program runs as it was promised, from counts alone: no outcome is looked at before the planned day.

Looking at outcomes by arm while visits go on invites stopping at a lucky moment, and tells staff who "does worse". So
the reports of a running program hold who was referred, tried and met, and of attendance only whether it was sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.phrases import counted
from leapstudy.evidence.privacy import protect
from leapstudy.students.disclosure import MIN_COUNT, MIN_GROUP
from leapstudy.students.visits import FLOWS, REACHED, Progress

# Counts are shown to the nearest five: the difference of two reports then points to nobody.
UNIT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What the plan says of the visits; None where it says nothing.

    Attributes
    ----------
    first, last : datetime.date or None
        Days between which referrals come in evenly.
    referred : int or None
        Students by the last day.
    met : float or None
        Share of the referred who are met.
    visits : float or None
        Completed visits a met student.
    outcomes_from : datetime.date or None
        Day from which outcomes by arm may be looked at.
    """

    first: date | None = None
    last: date | None = None
    referred: int | None = None
    met: float | None = None
    visits: float | None = None
    outcomes_from: date | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """How a program runs; small counts are empty, the others to the nearest five.

    Attributes
    ----------
    until : datetime.date
    totals : pandas.DataFrame
        what, so_far, promised (by now), numbers as they are shown.
    schools : pandas.DataFrame
        district_code, school_code, referred, tried, met, coverage_pct (met of the referred), visits (a met student).
    weeks : pandas.DataFrame
        week, referred, tried, met: students whose first event fell into it; promised: referrals due in it, where the
        plan says how many by when. Every planned week so far has a row then, those without an event, too.
    stopped : pandas.DataFrame
        district_code, school_code, last_month, months_missing: schools that do not send what others of the files send.
    arms : pandas.DataFrame
        phase, students, met, too_early; empty without a draw.
    attempts : pandas.DataFrame
        what (result, type, language, support), value, students; a language of a few is left out.
    warnings : tuple of str
        What needs somebody's attention, worst first.
    """

    until: date
    totals: pd.DataFrame
    schools: pd.DataFrame
    weeks: pd.DataFrame
    stopped: pd.DataFrame
    arms: pd.DataFrame
    attempts: pd.DataFrame
    warnings: tuple[str, ...]


def require_outcomes_open(outcomes_from: date | None, today: date) -> None:
    """Refuse to look at outcomes by arm before the planned day.

    Raises
    ------
    BadInput
        Before that day, and where no day was planned.
    """
    if outcomes_from is None:
        raise BadInput(
            "Outcomes by arm are closed: the plan names no day on which they may be looked at. "
            "Write `outcomes_from:` under `rollout:` in params/students.yml before the first visit."
        )
    if today < outcomes_from:
        raise BadInput(
            f"Outcomes by arm are closed until {outcomes_from}; today is {today}. Whoever looks earlier may stop at a "
            "lucky moment, so nothing was computed. `leapstudy watch` shows how the visits run; `leapstudy run "
            "60_plan_a_rollout` plans on."
        )


def watch(
    progress: Progress, until: date, promise: Promise | None = None, starts: Mapping[str, str] | None = None
) -> Watch:
    """Compare counts with the plan, and phases of a draw with the first month (``YYYY-MM``) of their visits."""
    plan = promise or Promise()
    schools, weeks = _schools(progress.schools), _promised_by_week(_weeks(progress.weeks), until, plan)
    silent = _silent_schools(progress.feeds, until)
    arms = _round(progress.arms.set_index("phase"), ("students", "met", "too_early")).reset_index()
    totals = _totals(progress.schools, until, plan)
    over = plan.last is None or until >= plan.last
    warnings = (*_idle(progress.arms, f"{until:%Y-%m}", starts or {}), *_warnings(totals, silent, progress.arms, over))
    return Watch(until, totals, schools, weeks, silent, arms, _attempts(progress.attempts), warnings)


def _attempts(counts: pd.DataFrame) -> pd.DataFrame:
    """Return how attempts ended, in what language, and what was given; students may stand in several rows."""
    rows = counts[(counts["what"] != "language") | (counts["students"] >= MIN_COUNT)]
    return _round(rows.reset_index(drop=True), ("students",))


def _schools(counts: pd.DataFrame) -> pd.DataFrame:
    """Return steps by school; referred and met are hidden together, tried where it would tell apart a few not met."""
    place = ["district_code", "school_code"]
    by_place = counts.assign(**{name: counts[name].fillna("not in the files") for name in place})
    exact = by_place.pivot_table(index=place, columns="status", values="students", aggfunc="sum", fill_value=0)
    exact = exact.reindex(columns=list(REACHED), fill_value=0).astype(float)
    sides = pd.DataFrame({"met": exact["met"], "not met": exact[list(REACHED[:2])].sum(axis=1)})
    safe = _protected(sides.rename_axis(columns="status"))
    few = ((exact > 0) & (exact < MIN_COUNT)).any(axis=1)
    visits = by_place[by_place["status"] == "met"].groupby(place)["visits"].sum().reindex(exact.index)
    n_referred, met = safe.sum(axis=1, skipna=False), safe["met"]
    table = pd.DataFrame(
        {
            "referred": n_referred,
            "tried": exact[list(REACHED[1:])].sum(axis=1).mask(few | n_referred.isna()),
            "met": met,
            "coverage_pct": (100 * met / n_referred).where(n_referred >= MIN_GROUP).round(),
            "visits": (visits / met).where(met >= MIN_GROUP).round(1),
        }
    )
    return _round(table, FLOWS).reset_index()


def _protected(counts: pd.DataFrame) -> pd.DataFrame:
    """Hide the small cells of a table of places by kinds, and company for what the totals would give away."""
    if counts.empty:
        return counts
    kind = str(counts.columns.name)
    cells = counts.reset_index(drop=True).rename_axis(index="place").reset_index()
    cells = cells.melt("place", var_name=kind, value_name="numerator").assign(
        denominator=lambda rows: rows["numerator"]
    )
    margin = cells.groupby(kind, as_index=False)[["numerator", "denominator"]].sum()
    safe = protect({"cells": cells, "all": margin}, ["place", kind], min_group=MIN_COUNT)["cells"]
    wide = safe.pivot(index="place", columns=kind, values="numerator")
    return wide[list(counts.columns)].set_axis(counts.index)


def _weeks(counts: pd.DataFrame) -> pd.DataFrame:
    exact = counts.pivot_table(index="week", columns="flow", values="students", aggfunc="sum", fill_value=0)
    safe = _protected(exact.reindex(columns=list(FLOWS), fill_value=0).astype(float).rename_axis(columns="flow"))
    return _round(safe, FLOWS).rename_axis(columns=None).reset_index()


def _promised_by_week(weeks: pd.DataFrame, until: date, plan: Promise) -> pd.DataFrame:
    """Add the referrals that were due in each week up to a day, evenly over the planned days."""
    if plan.referred is None or plan.first is None or plan.last is None:
        return weeks
    weeks = _every_week(weeks, plan.first, min(until, plan.last))
    ends = [date.fromisoformat(week) + timedelta(days=6) for week in weeks["week"]]
    before = [_elapsed(end - timedelta(days=7), plan) or 0.0 for end in ends]
    upto = [_elapsed(min(end, until), plan) or 0.0 for end in ends]
    due = plan.referred * (np.array(upto) - np.array(before))
    return weeks.assign(promised=due.round(1))


def _every_week(weeks: pd.DataFrame, first: date, last: date) -> pd.DataFrame:
    """Add the weeks between two days in which nothing happened; that they are none tells of nobody."""
    mondays = pd.date_range(first - timedelta(days=first.weekday()), last, freq="7D").strftime("%Y-%m-%d")
    every = pd.Index(sorted({*weeks["week"], *mondays}), name="week")
    return weeks.set_index("week").reindex(every, fill_value=0).reset_index()


def _round(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return counts to the nearest five; fewer than `MIN_COUNT` are hidden, none is 0."""
    counts = table[list(columns)]
    safe = counts.mask((counts > 0) & (counts < MIN_COUNT))
    return table.assign(**(UNIT * (safe / UNIT).round()))


def _silent_schools(feeds: pd.DataFrame, until: date) -> pd.DataFrame:
    """Return schools that lack a month which half of the schools have sent."""
    arrivals = feeds[feeds["month"] <= f"{until:%Y-%m}"]
    if arrivals.empty:
        return pd.DataFrame({"district_code": [], "school_code": [], "last_month": [], "months_missing": []})
    schools = arrivals.groupby(["district_code", "school_code"])["month"].agg(["max", "min"])
    by_month = arrivals.groupby("month")["school_code"].count()
    usual = sorted(by_month.index[by_month >= len(schools) / 2])
    since = schools["min"].map(lambda first: sum(month >= first for month in usual))
    own = arrivals[arrivals["month"].isin(usual)].groupby(["district_code", "school_code"])["month"].nunique()
    missing = (since - own.reindex(schools.index).fillna(0)).astype(int)
    table = pd.DataFrame({"last_month": schools["max"], "months_missing": missing})
    return table[missing > 0].sort_values("months_missing", ascending=False, kind="stable").reset_index()


def _totals(counts: pd.DataFrame, until: date, plan: Promise) -> pd.DataFrame:
    by_status = counts.groupby("status")["students"].sum().reindex(list(REACHED)).fillna(0)
    n_referred, met = int(by_status.sum()), int(by_status["met"])
    visits = float(counts.loc[counts["status"] == "met", "visits"].sum())
    elapsed = _elapsed(until, plan)
    due = np.nan if plan.referred is None or elapsed is None else plan.referred * elapsed
    rows: Mapping[str, tuple[float, float]] = {
        "students referred": (n_referred, due),
        "students tried": (n_referred - int(by_status[REACHED[0]]), np.nan),
        "students met": (met, due * (np.nan if plan.met is None else plan.met)),
    }
    table = pd.DataFrame(rows, index=["so_far", "promised"]).T
    table = _round(table, ("so_far", "promised"))
    enough, some = n_referred >= MIN_GROUP, met >= MIN_GROUP
    table.loc["met of the referred (%)"] = (
        round(100 * met / n_referred) if enough else np.nan,
        np.nan if plan.met is None else 100 * plan.met,
    )
    table.loc[VISITS] = (round(visits / met, 1) if some else np.nan, np.nan if plan.visits is None else plan.visits)
    return table.rename_axis("what").reset_index()


def _elapsed(until: date, plan: Promise) -> float | None:
    """Return the share of the planned time that has passed."""
    if plan.first is None or plan.last is None:
        return None
    return min(1.0, max(0.0, ((until - plan.first).days + 1) / ((plan.last - plan.first).days + 1)))


VISITS = "visits a met student"
# Below this share of what was promised a figure is named.
BEHIND = 0.8


def _idle(arms: pd.DataFrame, month: str, starts: Mapping[str, str]) -> list[str]:
    """Name the phases whose first month is over and of whom nobody was met."""
    return [
        f"Nobody of phase {phase!r} has been met, and its visits were to begin in {starts[phase]}: without visits the "
        "draw finds nothing, and later phases are what is left."
        for phase in arms.loc[arms["met"] == 0, "phase"]
        if starts.get(phase, month) < month
    ]


def _warnings(totals: pd.DataFrame, silent: pd.DataFrame, arms: pd.DataFrame, over: bool) -> tuple[str, ...]:
    """Return what needs attention; that met students have few visits is known only once it is `over`."""
    sentences = []
    early = int(arms["too_early"].sum()) if len(arms) else 0
    if early:
        number = f"About {UNIT * round(early / UNIT)} students" if early >= MIN_COUNT else "A few students"
        sentences.append(
            f"{number} met before a visit was drawn for them: comparison students visited by mistake. "
            "They stay in the arm that they drew; every one of them makes the effect look smaller."
        )
    if len(silent):
        sentences.append(
            f"{counted(len(silent), 'school')} did not send what others sent. Students of a school that stopped look "
            "perfect or lost: ask for the months that are missing."
        )
    for row in totals.itertuples():
        if row.so_far < BEHIND * row.promised and (over or row.what != VISITS):
            sentences.append(
                f"Behind the plan: {row.what}, {row.so_far:g} where {row.promised:g} were promised by now."
            )
    return tuple(sentences)


def lines(table: pd.DataFrame) -> list[str]:
    """Return a table as lines for a screen; an empty cell is ``hidden``."""
    blank = {name: "not promised" if name == "promised" else "hidden" for name in table}
    text = table.astype(object).where(table.notna()).fillna(blank)
    return [] if table.empty else text.to_string(index=False, float_format=lambda value: f"{value:g}").split("\n")
