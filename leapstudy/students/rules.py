"""What can be wrong with attendance rows: each rule once, for counting, for the quarantine and for the repair.

When a rule fails is said here, by an engine expression over the marked panel that never looks at a row; how grave that
is, and in which words it is told, stands in `rules.yml`.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import reduce
from operator import add
from typing import Literal

import ibis
from ibis.expr.types import BooleanValue, DateValue, IntegerValue, StringValue, Table

from leapstudy.core.parameter_file import packaged
from leapstudy.students import contract
from leapstudy.students.engine import bit_or, held, sealed

Severity = Literal["error", "quarantine", "fix", "warn"]
KEY = ("student", "district_code", "school_code", "month")

# The first calendar year that a date of attendance or of a visit can lie in.
FIRST_YEAR = 2000

MOST_DAYS = contract.STUDENT_MONTH["days_enrolled"].high
# Weekdays of the longest month.
MOST_SCHOOL_DAYS = 23

# Where so many own codes have fewer students than this on average, a column of ids stands in their place.
FEWEST_CODES, STUDENTS_A_CODE = 20, 5

# Months, after which a bit of a student's word stands for a month again; sums of so many bits are exact as floats.
MONTH_BITS = 50

# Where a larger share of exits is the day of entry, or of the next entry, an exit is the first day out.
MOST_AT_ONCE = 0.01

# Where a larger share of absences is of students without any enrollment, their ids are written in another way.
MOST_STRANGERS = 0.1

# A month with a smaller share of its district's largest month is no school month.
THIN_SHARE = 0.1


def after_last_year() -> int:
    """Return the first calendar year that no date can lie in: the one after next."""
    return date.today().year + 2


@dataclass(frozen=True, slots=True)
class Limits:
    """What the rules depend on.

    Attributes
    ----------
    known_districts
        Legal codes; empty takes the codes as the files have them.
    code_length
        Digits of a code whose leading zeros count; 0 where no code that is a number begins with a zero.
    codes_like_ids
        Whether there are nearly as many codes as students.
    overrun_days, feed_students
        Tolerances of `over_by_two` and `stopped_feed`.
    supports
        Legal supports in the visit log.
    """

    known_districts: tuple[str, ...] = ()
    code_length: int = 0
    codes_like_ids: bool = False
    overrun_days: int = 2
    feed_students: int = 20
    supports: tuple[str, ...] = contract.SUPPORTS


@dataclass(frozen=True, slots=True)
class Part:
    """The account of one table that a panel is joined from: each row has one fate, `used` or the id of a rule.

    `lost` counts lines that are no row, by rule; `noted` used rows of which a rule has something to say.
    """

    role: str
    rows_in: int
    fates: Mapping[str, int]
    lost: Mapping[str, int] = field(default_factory=dict)
    noted: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an account in which a row is missing or counted twice."""
        if sum(self.fates.values()) != self.rows_in:
            raise RuntimeError(
                f"The rows of {self.role} do not add up: {self.rows_in} in, {sum(self.fates.values())} told."
            )


def part_of(role: str, rows: Table, lost: Mapping[str, int], noted: Mapping[str, int] | None = None) -> Part:
    """Count the fates of a table's rows, each in its column `fate`."""
    counts = sealed("counting the rows", rows.group_by("fate").agg(rows=rows.count()).to_pyarrow).to_pylist()
    total = sealed("counting the rows", rows.count().to_pyarrow).as_py()
    return Part(role, int(total), {row["fate"]: int(row["rows"]) for row in counts}, lost, noted or {})


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


@contextmanager
def marked(panel: Table, limits: Limits) -> Iterator[Table]:
    """Add what a predicate must know of a row's neighbors and code: copies, conflicts, its school's month, legal code.

    Only student-months with more than one row are sorted; the rest of a large file is only counted, and `alone`. What
    is counted is kept while the block runs: an engine that knows how little it is builds its hash tables of that.
    """
    with ExitStack() as stack:
        schools = stack.enter_context(held("counting by school and month", _schools(panel)))
        students = stack.enter_context(held("comparing each student's rows", _students(panel)))
        some = panel.semi_join(students.filter(students.twice), "student")
        busy = some.group_by(["student", "month"]).having(some.count() > 1).agg(rows=some.count())
        busy = stack.enter_context(held("comparing each month's rows", busy))
        yield _with_context(panel, limits, schools, students, busy)


def _schools(panel: Table) -> Table:
    """Return what stands in a school's month, as counts and extremes."""
    return panel.group_by(["district_code", "school_code", "month"]).agg(
        school_rows=panel.count(),
        school_missed=(panel.days_enrolled - panel.days_attended).max(),
        enrolled_rows=panel.count(where=panel.days_enrolled > 0),
        first_status=panel.status.min(),
        last_status=panel.status.max(),
    )


def _students(panel: Table) -> Table:
    """Return the students whose rows tell different first visits, or may tell a month twice."""
    first, bit = panel.first_visit_month, _month_bit(panel.month)
    students = panel.group_by("student").agg(
        visits_differ=(first.max() != first.min()) | ((first.count() > 0) & (first.count() < panel.count())),
        twice=bit.cast("float64").sum() != bit_or(bit).cast("float64"),
    )
    return students.filter(students.visits_differ | students.twice)


def _with_context(panel: Table, limits: Limits, schools: Table, students: Table, busy: Table) -> Table:
    single = panel.anti_join(busy, ["student", "month"]).mutate(
        copy=ibis.literal(0, "int64"),
        longest=ibis._.days_enrolled,
        disputed=False,
        moved=False,
        together=ibis._.days_enrolled,
        alone=True,
    )
    rows = _with_copies(panel.semi_join(busy, ["student", "month"])).union(single)
    sizes = schools.group_by(["district_code", "month"]).agg(month_rows=schools.enrolled_rows.sum())
    codes = _judged(sizes.group_by("district_code").agg(largest_month=sizes.month_rows.max()), limits)
    of_school = schools.select("district_code", "school_code", "month", "school_rows", "school_missed")
    rows = rows.left_join(of_school, ["district_code", "school_code", "month"], rname="{name}_of_school")
    rows = rows.left_join(sizes, ["district_code", "month"], rname="{name}_of_month")
    rows = rows.left_join(codes, "district_code", rname="{name}_of_district")
    rows = rows.left_join(students.select("student", "visits_differ"), "student", rname="{name}_of_student")
    return rows.cross_join(schools.aggregate(mixed=schools.last_status.max() != schools.first_status.min()))


def _month_bit(month: DateValue) -> IntegerValue:
    """Return a bit of a word for a month: a student's sum of them is their union unless two rows share a bit."""
    return ibis.literal(1, "int64") << ((month.year() * 12 + month.month()).cast("int64").abs() % MONTH_BITS)


def _with_copies(panel: Table) -> Table:
    """Compare the rows of one student and month with each other."""
    key = [panel[name] for name in KEY]
    copy = ibis.window(group_by=key, order_by=[panel.days_enrolled.desc(), panel.days_attended.desc()])
    twins, month = ibis.window(group_by=[*key, panel.days_enrolled]), ibis.window(group_by=[panel.student, panel.month])
    district, attended = panel.district_code, panel.days_attended
    copies = panel.mutate(
        copy=ibis.row_number().over(copy),
        longest=panel.days_enrolled.max().over(ibis.window(group_by=key)),
        disputed=attended.max().over(twins) != attended.min().over(twins),
        moved=district.max().over(month) != district.min().over(month),
    )
    single = ibis.ifelse(copies.copy == 0, copies.days_enrolled, 0.0)
    month = ibis.window(group_by=[copies.student, copies.month])
    return copies.mutate(together=single.sum().over(month), alone=False)


def _over(t: Table, limits: Limits, small: bool) -> BooleanValue:
    over = t.days_attended - t.days_enrolled
    member = (t.days_enrolled > 0) & (over > 0)
    return member & ((over <= limits.overrun_days) if small else (over > limits.overrun_days))


def _disputed(t: Table) -> BooleanValue:
    return t.disputed & (t.days_enrolled == t.longest)


def _judged(codes: Table, limits: Limits) -> Table:
    """Add to each district's code whether it is known, lost its zeros, or holds what no code does.

    Where the codes are as many as students are, they may be ids.
    """
    in_study = codes.district_code.isin(limits.known_districts) if limits.known_districts else ibis.literal(True)
    odd = ~codes.district_code.re_search(contract.CODE) | ibis.literal(limits.codes_like_ids)
    return codes.mutate(known=in_study, odd=odd, lost=_lost_zeros(codes, limits))


def _lost_zeros(t: Table, limits: Limits) -> BooleanValue:
    """Say whether a code would be legal with zeros in front of it."""
    if limits.known_districts:
        bare = {code.lstrip("0") for code in limits.known_districts if code.startswith("0")}
        codes = tuple(bare - set(limits.known_districts))
        return t.district_code.isin(codes) if codes else ibis.literal(False)
    if not limits.code_length:
        return ibis.literal(False)
    return t.district_code.re_search("^[0-9]+$") & (t.district_code.length() < limits.code_length)


def plausible(day: DateValue) -> BooleanValue:
    """Say whether a day lies in years of which there can be figures."""
    return day.year().between(FIRST_YEAR, after_last_year() - 1)


def _one_of(value: StringValue, legal: Sequence[str]) -> BooleanValue:
    return value.isnull() | value.isin(tuple(legal))


def _stopped_feed(t: Table, limits: Limits) -> BooleanValue:
    silent = (t.school_rows >= limits.feed_students) & (t.school_missed <= 0)
    return t.school_code.notnull() & silent & (t.days_enrolled > 0)


def _supports(t: Table, limits: Limits) -> BooleanValue:
    names = "|".join(re.escape(name) for name in limits.supports)
    return t.supports.isnull() | t.supports.re_search(f"^({names})?(;({names}))*;?$")


_DECLARED = packaged(__file__, "rules")
# What stands in braces in `rules.yml`.
_NAMES = {
    "first_year": FIRST_YEAR,
    "longest": contract.LONGEST,
    "strangers": f"{MOST_STRANGERS:.0%}",
    "thin": f"{THIN_SHARE:.0%}",
    "statuses": ", ".join(contract.STATUSES),
    "types": ", ".join(contract.VISIT_TYPES),
    "results": ", ".join(contract.VISIT_RESULTS),
    "outcomes": ", ".join(contract.OUTCOME_NAMES),
}


def _rules(table: str, predicates: Mapping[str, Predicate]) -> tuple[Rule, ...]:
    """Return a table's rules in the order of `rules.yml`, which declares each that has a predicate."""
    declarations = _DECLARED[table]
    if set(declarations) != set(predicates):
        raise RuntimeError(f"rules.yml and rules.py differ in {set(declarations) ^ set(predicates)}.")
    return tuple(
        Rule(name, says["severity"], predicates[name], says["fix"], _words(says), says.get("drops", False))
        for name, says in declarations.items()
    )


def _words(says: Mapping[str, str]) -> str:
    return says["says"].format(**_NAMES)


PANEL_RULES = _rules(
    "panel",
    {
        "no_student": lambda t, _: t.student.isnull(),
        "no_district": lambda t, _: t.district_code.isnull(),
        "odd_code": lambda t, _: t.odd,
        "lost_zeros": lambda t, _: t.lost,
        "unknown_district": lambda t, _: ~(t.odd | t.lost | t.known),
        "unreadable": lambda t, _: t.unreadable,
        "implausible_date": lambda t, _: ~plausible(t.month),
        "unknown_status": lambda t, _: ~_one_of(t.status, contract.STATUSES),
        "mixed_status": lambda t, _: t.mixed & (t.status == "year_to_date"),
        "conflicting": lambda t, _: _disputed(t),
        "visits_differ": lambda t, _: t.visits_differ,
        "suppressed": lambda t, _: t.suppressed,
        "over_by_more": lambda t, limits: _over(t, limits, small=False),
        "impossible_days": lambda t, _: (t.days_enrolled < 0) | (t.days_attended < 0) | (t.days_enrolled > MOST_DAYS),
        "crowded_month": lambda t, limits: (
            (t.together > MOST_SCHOOL_DAYS + limits.overrun_days) & (t.days_enrolled <= MOST_DAYS)
        ),
        "thin_month": lambda t, _: (t.days_enrolled > 0) & (t.month_rows < THIN_SHARE * t.largest_month),
        "unknown_grade": lambda t, _: t.grade.notnull() & t.grade.notin(contract.GRADES),
        "stopped_feed": _stopped_feed,
        "over_by_two": lambda t, limits: _over(t, limits, small=True),
        "zero_membership": lambda t, _: t.days_enrolled == 0,
        "repeated": lambda t, _: (t.copy > 0) & ~_disputed(t),
        "two_districts": lambda t, _: t.moved,
        "unmatched": lambda t, _: t.unmatched > 0,
        "no_grade": lambda t, _: t.grade.isnull(),
    },
)
# The bit of `failed` of rows whose attendance is cut to membership.
OVER_BY_TWO = 1 << [rule.id for rule in PANEL_RULES].index("over_by_two")

_OF_EVERY_TABLE = tuple(rule for rule in PANEL_RULES if rule.id in ("no_student", "unreadable"))
VISIT_RULES = (
    *_OF_EVERY_TABLE,
    *_rules(
        "visits",
        {
            "implausible_date": lambda t, _: ~plausible(t.visit_date) | ~plausible(t.referral_date),
            "no_date": lambda t, _: t.completed & t.visit_date.isnull(),
            "unknown_type": lambda t, _: ~_one_of(t.type, contract.VISIT_TYPES),
            "unknown_result": lambda t, _: ~_one_of(t.result, contract.VISIT_RESULTS),
            "unknown_support": lambda t, limits: ~_supports(t, limits),
            "not_in_attendance": lambda t, _: ~t.in_attendance,
            "outside_months": lambda t, _: t.outside,
            "no_referral": lambda t, _: t.referral_date.isnull(),
            "before_referral": lambda t, _: t.visit_date < t.referral_date,
            "before_enrollment": lambda t, _: t.too_early,
            "visited_again": lambda t, _: t.again,
        },
    ),
)
OUTCOME_RULES = (
    *_OF_EVERY_TABLE,
    *_rules(
        "outcomes",
        {
            "unknown_outcome": lambda t, _: ~t.outcome.isin(contract.OUTCOME_NAMES),
            "backward": lambda t, _: t.period_end < t.period_start,
            "out_of_range": lambda t, _: (t.of <= 0) | (t.value < 0) | ((t.value > t.of) & (t.outcome != "incidents")),
            "twice": lambda t, _: t.repeated,
            "mixed_status": lambda t, _: t.mixed,
            "not_in_attendance": lambda t, _: ~t.in_attendance,
        },
    ),
)
# What can become of a row of a table that a panel is joined from, beside being used.
PART_RULES: dict[str, tuple[Severity, str]] = {
    name: (says["severity"], _words(says)) for name, says in _DECLARED["parts"].items()
}


def failures(rows: Table, rules: tuple[Rule, ...], limits: Limits) -> Table:
    """Return `rows` with `failed`, a number whose bit k is set where rule k fails, and whether each row is `kept`."""
    flags = [rule.predicate(rows, limits).fill_null(False) for rule in rules]
    bits = reduce(add, (ibis.ifelse(flag, 1 << k, 0).cast("int64") for k, flag in enumerate(flags)))
    with_bits = rows.mutate(failed=bits)
    removing = sum(1 << k for k, rule in enumerate(rules) if rule.removes)
    return with_bits.mutate(kept=(with_bits.failed & removing) == 0)


def failing(failed: int, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Return the rules that rows with this number `failed`, in the order of the rules."""
    return tuple(rule for k, rule in enumerate(rules) if failed >> k & 1)
