"""Outcomes beyond attendance: one row per student, outcome and period, each on its own clock, checked.

What is compared is the last value of a period that ended before the month of a visit with the first one of a period
that began after it: a period in which the visit falls says nothing of before and after.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import ibis
from ibis.backends import BaseBackend
from ibis.expr.types import Table

from leapstudy.core.errors import bad_value
from leapstudy.students import contract
from leapstudy.students.check import CheckReport, Limits, count_failures, kept_rows, limits_for, refuse
from leapstudy.students.contract import Reading
from leapstudy.students.engine import keep
from leapstudy.students.files import is_simulated
from leapstudy.students.handle import StudentData, engine_table
from leapstudy.students.pseudonyms import has_raw_ids, load_key, pseudonymize
from leapstudy.students.rules import OUTCOME_RULES, failures
from leapstudy.students.sources import Source, read

Take = Literal["first", "last"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What an outcome is: `unit` of ``100 value / of``, whether more is better, which value after counts, and its trap.

    `take` is ``first`` (the first period that began after the visit's month) or ``last`` (the last within six months).
    """

    unit: str
    more_is_better: bool
    take: Take
    trap: str


# By name, in the order in which pages show them. Graduation has no before: it is of cohorts of schools.
KINDS: dict[str, Kind] = {
    "chronic_absence": Kind(
        unit="% of students",
        more_is_better=False,
        take="first",
        trap="Whole years by the rule in whole numbers; a figure so far is never averaged with a final one.",
    ),
    "incidents": Kind(
        unit="incidents in 100 days",
        more_is_better=False,
        take="first",
        trap="Zero counts only where the school reports. In some states days of suspension are absences too.",
    ),
    "grades": Kind(
        unit="% of the scale",
        more_is_better=True,
        take="first",
        trap="Terms with pass and fail alone are no figures of this scale and are to be left out.",
    ),
    "courses_failed": Kind(
        unit="% of courses",
        more_is_better=False,
        take="first",
        trap="A course that was dropped is none that was failed.",
    ),
    "enrolled": Kind(
        unit="% of students",
        more_is_better=True,
        take="last",
        trap="Leaving is attrition of every other outcome too; a transfer is no dropout and has no row. Both sides are "
        "those still there in the month of the visit.",
    ),
}


def _is_duplicate(rows: Table) -> ibis.expr.types.BooleanValue:
    keys = [rows.student, rows.outcome, rows.period_start, rows.period_end]
    return rows.count().over(ibis.window(group_by=keys)) > 1


def inspect_outcomes(
    source: Source, panel: Table, limits: Limits, name: str, simulated: bool
) -> tuple[CheckReport, Table]:
    """Count what is wrong with a table of outcomes; it comes back with its rules' flags."""
    rows = source.table
    students = panel.select("student").distinct()
    rows = rows.left_join(students, "student", rname="{name}_there")
    rows = rows.mutate(in_attendance=rows.student_there.notnull()).drop("student_there")
    whole = ibis.window()  # Spark counts no distinct values in a window
    mixed = rows.status.max().over(whole) != rows.status.min().over(whole)
    rows = rows.mutate(repeated=_is_duplicate(rows), mixed=mixed.fill_null(False))
    rows = failures(rows, OUTCOME_RULES, limits)
    account, findings = count_failures(rows, OUTCOME_RULES, limits, "outcomes", source.lost)
    return CheckReport(name, "outcomes", simulated, (account,), tuple(findings), source.files.left_out), rows


def open_outcomes(data: StudentData, path: Path | str, how: Reading) -> Table:
    """Read, check and pseudonymize a table of outcomes beside opened attendance; its rows never leave the database.

    Raises
    ------
    BadInput
        In the words of the check, where a rule of severity error fails; no message holds a cell.
    """
    panel = engine_table(data)
    con: BaseBackend = panel.get_backend()
    source = read(con, path, contract.OUTCOMES, how)
    if has_raw_ids(source.table):
        source = Source(pseudonymize(con, source.table, load_key()), source.files, source.lost)
    report, rows = inspect_outcomes(source, panel, limits_for(panel, (), how), Path(path).name, is_simulated(path))
    refuse([report])
    return keep(con, "reading the outcomes", kept_rows(rows, contract.OUTCOMES.names))


def outcome_points(outcomes: Table, name: str) -> Table:
    """Return student, start and month (of the period's begin and end) and y, ``100 value / of``, of one outcome.

    Raises
    ------
    BadInput
        For an outcome that is none of `KINDS`.
    """
    if name not in KINDS:
        raise bad_value("outcome of students", name, KINDS, "Graduation has no before: compare cohorts of schools.")
    own = outcomes.filter((outcomes.outcome == name) & outcomes.value.notnull() & (outcomes.of > 0))
    return own.select("student", start="period_start", month="period_end", y=100 * own.value / own.of)
