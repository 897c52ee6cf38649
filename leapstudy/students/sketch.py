"""Who stands in a group and with which rows, as 128 sums: enough to say how many students two files differ in.

A student's rows make one digest of 128 signs, and a group the sums of its students' signs. Of two groups the mean
squared difference of these sums estimates how many students, with all their rows, are in one of them only (Alon, Matias
and Szegedy 1999, Journal of Computer and System Sciences 58: 137-147): zero for equal groups, else with a standard
error of an eighth. Nothing of a student can be read from it but by who holds the student's rows already.
"""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import ibis
import numpy as np
from ibis.expr.types import Table

from leapstudy.core.names import ALL_DISTRICTS as ALL
from leapstudy.students.contract import OUTCOME_NAMES
from leapstudy.students.engine import sealed
from leapstudy.students.moments.pivot import month_number

SIGNS = 128
HEX = "0123456789abcdef"
# A digest is so many letters of four signs each; the signs of each letter, shape (16, 4).
LETTERS = SIGNS // 4
SIGNS_OF = 2 * (np.arange(len(HEX))[:, None] >> np.arange(4) & 1) - 1
# Days are counted in thousandths, as whole numbers: the same whatever order they are added in.
PARTS = 1000


def group_sketches(panel: Table, log: Table, outcomes: Table | None = None) -> list[dict[str, Any]]:
    """Return the sketch of the visited and of the other students of each district, and of all together.

    Parameters
    ----------
    panel
        student, district_code, month, days_enrolled, days_attended, and traits by which students are shown: the rows in
        use.
    log
        student, completed, and whatever else the visits in use say: days, types, supports.
    outcomes
        student, outcome, period_start, value, of: the outcomes in use, if there are any.

    Returns
    -------
    list of dict
        place (district code or ``ALL``), visited (bool), students, sums (list of `SIGNS` whole numbers).
    """
    each = _digests(panel, log, outcomes)
    each = each.mutate(place=ibis.range(LETTERS).unnest())
    keys = {"letter": each.digest.substr(each.place, 1)}
    counts = each.group_by("district_code", "visited", "place", **keys).agg(students=each.count())
    rows = sealed("counting who differs", lambda: counts.to_pyarrow().to_pylist())
    groups: dict[tuple[str, bool], np.ndarray] = {}
    for row in rows:
        for place in (str(row["district_code"]), ALL):
            group = groups.setdefault((place, bool(row["visited"])), np.zeros((LETTERS, len(HEX)), dtype=np.int64))
            group[row["place"], HEX.index(row["letter"])] += row["students"]
    return [
        {
            "place": place,
            "visited": visited,
            "students": int(letters[0].sum()),
            "sums": (letters @ SIGNS_OF).ravel().tolist(),
        }
        for (place, visited), letters in sorted(groups.items(), key=itemgetter(0))
    ]


def _digests(panel: Table, log: Table, outcomes: Table | None) -> Table:
    month = month_number(panel.month)
    enrolled, attended = (
        (PARTS * panel[name]).round().cast("int64").fill_null(-1) for name in ("days_enrolled", "days_attended")
    )
    rows = panel.group_by("student").agg(
        district_code=panel.district_code.argmin(panel.month),
        rows=panel.count(),
        **{f"e{power}": (enrolled * month**power).cast("int64").sum() for power in (0, 1)},
        **{f"a{power}": (attended * month**power).cast("int64").sum() for power in (0, 1, 2)},
        **_of_columns(panel, [name for name in ("school_code", "grade", "high_needs") if name in panel.columns]),
    )
    own = [name for name in log.columns if name not in ("student", "district_code")]
    visits = log.group_by("student").agg(met=log.completed.sum(), tries=log.count(), **_of_columns(log, own))
    both = rows.left_join(visits, "student", rname="{name}_log")
    if outcomes is not None:
        both = both.left_join(_of_outcomes(outcomes), "student", rname="{name}_outcomes")
    text = both.student.cast("string")
    for name in (name for name in both.columns if not name.startswith(("student", "district_code"))):
        text = text + ":" + both[name].cast("string").fill_null("")
    return both.select("district_code", visited=(both.met > 0).fill_null(False), digest=text.hexdigest("md5"))


def _of_columns(table: Table, names: Sequence[str]) -> dict[str, Any]:
    """Return what a student's rows say in some columns, the same whatever order they stand in."""
    aggregates: dict[str, Any] = {}
    for name in names:
        value, kind = table[name], table[name].type()
        if kind.is_string():
            aggregates |= {f"least_{name}": value.min(), f"most_{name}": value.max()}
        else:
            aggregates[f"sum_{name}"] = _day(value).sum() if kind.is_temporal() else value.cast("int64").sum()
    return aggregates


def _day(date: Any) -> Any:
    return date.year() * 372 + date.month() * 31 + date.day()


def _of_outcomes(outcomes: Table) -> Table:
    """Return one row per student of the outcomes, the same whatever order its rows stand in."""
    kind = ibis.cases(*((outcomes.outcome == name, place) for place, name in enumerate(OUTCOME_NAMES, 1)), else_=0)
    weights = {"all": ibis.literal(1), "kind": kind, "day": _day(outcomes.period_start)}
    sums = {
        f"{column}_{name}": ((PARTS * outcomes[column]).round().cast("int64") * weight).cast("int64").sum()
        for column in ("value", "of")
        for name, weight in weights.items()
    }
    more = _of_columns(outcomes, [name for name in ("period_end", "status") if name in outcomes.columns])
    return outcomes.group_by("student").agg(outcomes=outcomes.count(), **sums, **more)
