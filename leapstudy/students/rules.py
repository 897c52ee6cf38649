"""What can be wrong with attendance rows: each rule once, for counting, for the quarantine and for the repair.

A rule's predicate is an engine expression over the marked panel; nothing here ever looks at a row.
"""

import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import ibis
from ibis.expr.types import BooleanValue, Table

from leapstudy.students import contract

Severity = Literal["error", "quarantine", "fix", "warn"]
KEY = ("student", "district_code", "school_code", "month")


@dataclass(frozen=True, slots=True)
class Limits:
    """What the rules depend on; an empty `known_districts` accepts every code of seven digits."""

    known_districts: tuple[str, ...] = ()
    overrun_days: int = 2
    feed_students: int = 20


Predicate = Callable[[Table, Limits], BooleanValue]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `drops` says that the repair leaves the row out; errors and quarantined rows are always left out."""

    id: str
    severity: Severity
    predicate: Predicate
    fix: str
    explanation: str
    drops: bool = False

    @property
    def removes(self) -> bool:
        """Whether a row that fails is left out of the panel."""
        return self.drops or self.severity in ("error", "quarantine")


def marked(panel: Table) -> Table:
    """Add what a predicate must know of a row's neighbors: copies, conflicts, other districts, its school's month.

    Only student-months with more than one row are sorted; the rest of a large file is only counted.
    """
    busy = panel.group_by(["student", "month"]).having(panel.count() > 1).agg(rows=panel.count())
    single = panel.anti_join(busy, ["student", "month"]).mutate(
        copy=ibis.literal(0, "int64"), longest=ibis._.days_enrolled, disputed=False, moved=False
    )
    rows = _compared(panel.semi_join(busy, ["student", "month"]).select(*panel.columns)).union(single)
    missed = (panel.days_enrolled - panel.days_attended).max()
    schools = panel.group_by(["district_code", "school_code", "month"]).agg(
        school_rows=panel.count(), school_missed=missed
    )
    first = panel.first_visit_month
    unequal = (first.max() != first.min()) | ((first.count() > 0) & (first.count() < panel.count()))
    students = panel.group_by("student").having(unequal).agg(visits_differ=unequal)
    mixed = panel.status.max() != panel.status.min()
    rows = rows.left_join(schools, ["district_code", "school_code", "month"], rname="{name}_of_school")
    rows = rows.left_join(students, "student", rname="{name}_of_student")
    return rows.cross_join(panel.aggregate(mixed=mixed))


def _compared(panel: Table) -> Table:
    """Compare the rows of one student and month with each other."""
    key = [panel[name] for name in KEY]
    copy = ibis.window(group_by=key, order_by=[panel.days_enrolled.desc(), panel.days_attended.desc()])
    twins, month = ibis.window(group_by=[*key, panel.days_enrolled]), ibis.window(group_by=[panel.student, panel.month])
    district, attended = panel.district_code, panel.days_attended
    return panel.mutate(
        copy=ibis.row_number().over(copy),
        longest=panel.days_enrolled.max().over(ibis.window(group_by=key)),
        disputed=attended.max().over(twins) != attended.min().over(twins),
        moved=district.max().over(month) != district.min().over(month),
    )


def _over(t: Table, limits: Limits, small: bool) -> BooleanValue:
    over = t.days_attended - t.days_enrolled
    member = (t.days_enrolled > 0) & (over > 0)
    return member & ((over <= limits.overrun_days) if small else (over > limits.overrun_days))


def _disputed(t: Table) -> BooleanValue:
    return t.disputed & (t.days_enrolled == t.longest)


def _known(t: Table, limits: Limits) -> BooleanValue:
    return t.district_code.isin(limits.known_districts) if limits.known_districts else ibis.literal(True)


def _is_code(t: Table) -> BooleanValue:
    return t.district_code.re_search(contract.DISTRICT.pattern)


PANEL_RULES: tuple[Rule, ...] = (
    Rule("no_student", "error", lambda t, _: t.student.isnull(), "refused", "The student's id is empty."),
    Rule(
        "lost_zeros",
        "error",
        lambda t, _: ~_is_code(t),
        "refused",
        "The district code is not seven digits: it was treated as a number and lost its leading zeros.",
    ),
    Rule(
        "unknown_district",
        "error",
        lambda t, limits: _is_code(t) & ~_known(t, limits),
        "refused",
        "The district code is well-formed but matches no known district.",
    ),
    Rule(
        "unreadable",
        "error",
        lambda t, _: t.unreadable,
        "refused",
        "A required cell is empty, or a cell is not the number, month, date or yes/no that its column holds.",
    ),
    Rule(
        "mixed_status",
        "error",
        lambda t, _: t.mixed & (t.status == "year_to_date"),
        "refused",
        "Year-to-date figures stand among final ones; the two must never be mixed.",
    ),
    Rule(
        "conflicting",
        "error",
        lambda t, _: _disputed(t),
        "refused",
        "The same student, school and month twice, with equal membership and different attendance.",
    ),
    Rule(
        "visits_differ",
        "error",
        lambda t, _: t.visits_differ,
        "refused",
        "The same student has more than one month of first visit.",
    ),
    Rule(
        "suppressed",
        "quarantine",
        lambda t, _: t.suppressed,
        "set aside",
        "A number of days is a sign such as * or <5: a value with bounds, neither zero nor missing.",
    ),
    Rule(
        "over_by_more",
        "quarantine",
        lambda t, limits: _over(t, limits, small=False),
        "set aside",
        "More days attended than enrolled, by more than the tolerance (2 days by default).",
    ),
    Rule(
        "impossible_days",
        "quarantine",
        lambda t, _: (t.days_enrolled < 0) | (t.days_attended < 0) | (t.days_enrolled > contract.ENROLLED.high),
        "set aside",
        "Negative days, or more days of membership than a month has.",
    ),
    Rule(
        "unknown_grade",
        "quarantine",
        lambda t, _: t.grade.notnull() & t.grade.notin(contract.GRADES),
        "set aside",
        "The grade is none of PK, K, 01 to 12.",
    ),
    Rule(
        "stopped_feed",
        "quarantine",
        lambda t, limits: (
            t.school_code.notnull()
            & (t.school_rows >= limits.feed_students)
            & (t.school_missed <= 0)
            & (t.days_enrolled > 0)
        ),
        "set aside",
        "A whole school shows no absence in this month: its feed has probably stopped.",
    ),
    Rule(
        "over_by_two",
        "fix",
        lambda t, limits: _over(t, limits, small=True),
        "capped at membership and flagged",
        "Up to 2 days more attended than enrolled (the tolerance is a parameter).",
    ),
    Rule(
        "zero_membership",
        "fix",
        lambda t, _: t.days_enrolled == 0,
        "left out of rates",
        "No days of membership in this month.",
        drops=True,
    ),
    Rule(
        "repeated",
        "fix",
        lambda t, _: (t.copy > 0) & ~_disputed(t),
        "the row with the larger membership is kept",
        "The same student, district, school and month again.",
        drops=True,
    ),
    Rule(
        "two_districts",
        "fix",
        lambda t, _: t.moved,
        "days are added up, so that each district weighs by membership",
        "The student has rows of more than one district in this month.",
    ),
    Rule(
        "strays",
        "warn",
        lambda t, _: t.strays > 0,
        "counted once or not at all",
        "Source rows that count for nothing: a day listed twice, or an absence on a day without enrollment.",
    ),
    Rule(
        "no_grade",
        "warn",
        lambda t, _: t.grade.isnull(),
        "kept",
        "No grade: the student cannot enter chronic absence or a grade band.",
    ),
)


VISIT_RULES: tuple[Rule, ...] = (
    *PANEL_RULES[:4],  # ids, codes and kinds of cells, as above
    Rule(
        "no_date",
        "error",
        lambda t, _: t.completed & t.visit_date.isnull(),
        "refused",
        "The visit is marked as completed and has no date.",
    ),
    Rule(
        "unknown_type",
        "warn",
        lambda t, _: t.type.notnull() & t.type.notin(contract.VISIT_TYPES),
        "kept",
        f"The type of visit is none of {', '.join(contract.VISIT_TYPES)}.",
    ),
    Rule(
        "before_referral",
        "warn",
        lambda t, _: t.visit_date < t.referral_date,
        "kept",
        "The visit is dated before the referral.",
    ),
)


def failures(rows: Table, rules: tuple[Rule, ...], limits: Limits) -> Table:
    """Return `rows` with one boolean column per rule, named ``bad_<id>``, and `kept`."""
    flags = {f"bad_{rule.id}": rule.predicate(rows, limits).fill_null(False) for rule in rules}
    flagged = rows.mutate(**flags)
    removing = [flagged[f"bad_{rule.id}"] for rule in rules if rule.removes]
    return flagged.mutate(kept=~functools.reduce(operator.or_, removing))
