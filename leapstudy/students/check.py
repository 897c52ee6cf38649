"""`leapstudy check` and `leapstudy run` ask the same of student files: counts by rule and district, and no row is
shown.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import ibis
from ibis.backends import BaseBackend
from ibis.expr.types import Table

from leapstudy.core.errors import BadInput
from leapstudy.students import contract
from leapstudy.students.contract import Reading
from leapstudy.students.disclosure import MIN_COUNT, rounded, shown
from leapstudy.students.engine import connect, keep, sealed
from leapstudy.students.files import is_simulated
from leapstudy.students.readers import Panel, open_panel, read_visits, shape_of
from leapstudy.students.rules import (
    FEWEST_CODES,
    PANEL_RULES,
    PART_RULES,
    STUDENTS_A_CODE,
    VISIT_RULES,
    Limits,
    Part,
    Rule,
    Severity,
    failing,
    failures,
    marked,
)
from leapstudy.students.sources import Source, unread_columns

NOWHERE = "no known district"
# The rule, and the column, of source rows that count for nothing.
IDLE = "unmatched"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found in one file: exact `rows` for programs; `text` of the check report hides small counts.

    `district_code` is empty where a count has no district.
    """

    role: str
    rule: str
    severity: Severity
    district_code: str
    rows: int
    fix: str
    explanation: str


@dataclass(frozen=True, slots=True)
class Account:
    """The rows of one table: every row in is used or set aside by exactly one rule."""

    role: str
    rows_in: int
    used: int
    aside: Mapping[str, int]

    def __post_init__(self) -> None:
        """Refuse an account that does not add up."""
        if self.used + sum(self.aside.values()) != self.rows_in:
            raise RuntimeError(f"The rows of {self.role} do not add up.")


@dataclass(frozen=True, slots=True, repr=False)
class CheckReport:
    """What was found in the files of one input; see `inspect_attendance` and `inspect_visits`."""

    name: str
    shape: str
    simulated: bool
    accounts: tuple[Account, ...]
    findings: tuple[Finding, ...]
    left_out: tuple[str, ...] = ()

    def without(self, rule: str) -> Self:
        """Return the report without what one rule found."""
        return replace(self, findings=tuple(finding for finding in self.findings if finding.rule != rule))

    def told(self, rule: str, words: str) -> Self:
        """Return the report with further words on a rule that its own table failed."""
        own = (self.role, rule)
        findings = (
            replace(one, explanation=f"{one.explanation} {words}") if (one.role, one.rule) == own else one
            for one in self.findings
        )
        return replace(self, findings=tuple(findings))

    @property
    def role(self) -> str:
        """The report's own table: attendance, visits or outcomes."""
        return self.accounts[0].role

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that stop a run."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def ok(self) -> bool:
        """Whether no rule of severity error failed and something is left; the command exits with 2 otherwise."""
        return not self.errors

    @property
    def rows_in(self) -> int:
        """Rows of the first table: the attendance, or the visit log."""
        return self.accounts[0].rows_in

    def __repr__(self) -> str:
        return self.text()

    def text(self) -> str:
        """Return the report in plain words; counts below six are not told apart."""
        hidden = any(0 < finding.rows < MIN_COUNT for finding in self.findings)
        count = rounded if hidden else "{:,}".format
        lines = [f"{self.name}: {self.shape.replace('_', ' ')} rows" + (" (SIMULATED)" if self.simulated else "")]
        for account in self.accounts:
            role = f"{account.role}: " if len(self.accounts) > 1 else ""
            lines.append(f"{role}Rows in: {count(account.rows_in)}. Rows that stay: {count(account.used)}.")
        if self.left_out:
            lines.append(
                f"Not read: {', '.join(self.left_out)} (no data file by its ending, or no part of this shape)."
            )
        for role, rule in dict.fromkeys((finding.role, finding.rule) for finding in self.findings):
            lines += _lines([f for f in self.findings if (f.role, f.rule) == (role, rule)], len(self.accounts) > 1)
        lines.append(self.verdict)
        return "\n".join(lines)

    @property
    def verdict(self) -> str:
        """Say whether the files can be used; the sentence with which `run` refuses them, too."""
        if self.errors:
            names = ", ".join(dict.fromkeys(finding.rule for finding in self.errors))
            return f"Not usable before these are mended at the source: {names}."
        if not self.findings:
            return "Nothing to report: every rule holds for every row."
        return "Usable: what is listed above was repaired, set aside or only noted."


def _lines(findings: Sequence[Finding], with_role: bool) -> list[str]:
    """Say one rule's failures; where a district's count is hidden the total is only a lower bound."""
    first = findings[0]
    large = sum(finding.rows for finding in findings if finding.rows >= MIN_COUNT)
    whole = all(finding.rows >= MIN_COUNT for finding in findings)
    few = "a few" if any(finding.rows for finding in findings) else "0"
    total = f"{large:,}" if whole else f"at least {large:,}" if large else few
    role = f" ({first.role})" if with_role else ""
    places = [f"    {f.district_code}: {shown(f.rows)}" for f in findings if f.district_code]
    return [f"  [{first.severity}] {first.rule}{role}: {total} rows, {first.fix}. {first.explanation}", *places]


# Different district codes from which on the column holds ids; the nation has 13,000 districts.
MOST_CODES = 20_000


def limits_for(table: Table, districts: Sequence[str], how: Reading) -> Limits:
    """Return the limits for a panel: the study's districts and those named where the files know any of the study's,
    else the files' own codes.

    A file of which half of the codes are the study's without their leading zeros is the study's own, and has lost them.
    """
    code_table = table.filter(table.district_code.notnull()).select("district_code").distinct()
    if districts and _of_study(code_table, districts):
        return Limits(known_districts=(*districts, *how.district_names), supports=how.supports)
    codes = sealed("listing the districts", code_table.limit(MOST_CODES).to_pyarrow)["district_code"].to_pylist()
    students = sealed("counting the students", table.student.nunique().to_pyarrow).as_py()
    too_many = len(codes) == MOST_CODES
    numbers = [code for code in codes if code.isascii() and code.isdigit()]
    return Limits(
        code_length=max(map(len, numbers)) if any(code.startswith("0") for code in numbers) else 0,
        codes_like_ids=too_many or (len(codes) >= FEWEST_CODES and students < STUDENTS_A_CODE * len(codes)),
        supports=how.supports,
    )


def _of_study(code_table: Table, districts: Sequence[str]) -> bool:
    """Say whether one of a file's codes is the study's, or half of them are that lost their leading zeros."""
    is_known = code_table.district_code.isin(tuple(districts))
    lost = code_table.district_code.isin(tuple({code.lstrip("0") for code in districts}))
    query = code_table.aggregate(codes=code_table.count(), known=is_known.sum(), lost=lost.sum())
    row = sealed("listing the districts", query.to_pyarrow).to_pylist()[0]
    return bool(row["known"] or (row["lost"] and 2 * row["lost"] >= row["codes"]))


def count_failures(
    rows: Table,
    rules: tuple[Rule, ...],
    limits: Limits,
    role: str,
    lost: Mapping[str, int],
    weight: str = "",
    *,
    idle: bool = False,
) -> tuple[Account, list[Finding]]:
    """Count failures by rule and district, and the fate of every row, from one aggregate query over their `failed`.

    A code that matches no known district is never repeated: a slipped column could hold a student's id. `weight` names
    the column of source rows behind a row; `idle` says that those of them that count for nothing (`unmatched`) are set
    aside from it; `lost` counts lines that are no row.
    """
    district = ibis.literal(NOWHERE)
    if "district_code" in rows.columns and limits.known_districts:
        in_study = rows.district_code.isin(limits.known_districts).fill_null(False)
        district = ibis.ifelse(in_study, rows.district_code, district)
    size = rows[weight].sum() if weight else rows.count()
    nothing = rows.unmatched.sum() if weight else ibis.literal(0)
    query = rows.group_by("failed", district=district).agg(size=size, nothing=nothing)
    fates, by_rule, districts = Counter[str](), Counter[tuple[str, str]](), set[str]()
    for row in sealed("counting", query.to_pyarrow).to_pylist():
        rules_failed = failing(row["failed"], rules)
        fate = next((rule.id for rule in rules_failed if rule.removes), "used")
        idle_rows = row["nothing"] if idle and fate == "used" else 0
        fates.update({fate: row["size"] - idle_rows, IDLE: idle_rows})
        sizes = {rule.id: row["nothing" if rule.id == IDLE else "size"] for rule in rules_failed}
        by_rule.update({(rule, row["district"]): count for rule, count in sizes.items()})
        districts.add(row["district"])
    aside = {rule: count for rule, count in sorted(fates.items()) if count and rule != "used"}
    account = Account(role, fates.total() + sum(lost.values()), fates["used"], {**aside, **lost})
    findings = _of_rows(role, lost)
    for rule in rules:
        for place in sorted(district for district in districts if by_rule[rule.id, district]):
            shown_place = "" if place == NOWHERE and len(districts) == 1 else place
            count = by_rule[rule.id, place]
            findings.append(Finding(role, rule.id, rule.severity, shown_place, count, rule.fix, rule.explanation))
    return account, findings


def _of_part(part: Part) -> tuple[Account, list[Finding]]:
    aside = {**{rule: rows for rule, rows in part.fates.items() if rule != "used"}, **part.lost}
    account = Account(part.role, part.rows_in + sum(part.lost.values()), part.fates.get("used", 0), aside)
    return account, _of_rows(part.role, {**aside, **part.noted})


def _of_rows(role: str, counts: Mapping[str, int]) -> list[Finding]:
    """Return a finding for each rule of a part's rows, or of lines that are no row."""
    lines = [(rule, *PART_RULES[rule], rows) for rule, rows in sorted(counts.items())]
    return [Finding(role, rule, severity, "", rows, _FIXES[severity], says) for rule, severity, says, rows in lines]


_FIXES = {"error": "refused", "warn": "noted"}


# Shapes of attendance of which a row of the panel, or of a day, is a row of one table.
AS_READ = {"student_month": contract.STUDENT_MONTH, "student_day": contract.STUDENT_DAY}


def with_columns(report: CheckReport, con: BaseBackend, path: Path, how: Reading) -> CheckReport:
    """Return the report with the columns whose cells cannot be read, where there are any; they are read once more."""
    tables = {**AS_READ, "visits": contract.VISITS, "outcomes": contract.OUTCOMES}
    is_unreadable = any((one.role, one.rule) == (report.role, UNREADABLE) for one in report.findings)
    if not is_unreadable or report.shape not in tables:
        return report
    table = tables[report.shape]
    counts = unread_columns(con, path, table, how)
    sentence = ", ".join(f"{name} ({shown(count)}{TAKES.get(table[name].kind, '')})" for name, count in counts.items())
    return report.told(UNREADABLE, f"By column: {sentence}.") if sentence else report


UNREADABLE = "unreadable"
# What cells of a kind of column look like.
TAKES = {"month": "; written YYYY-MM", "date": "; written YYYY-MM-DD", "number": "; a number", "flag": "; yes or no"}


def inspect_attendance(panel: Panel, limits: Limits, name: str, simulated: bool = False) -> tuple[CheckReport, Table]:
    """Count what is wrong with the attendance files; the rows come back with what they `failed`, kept in the engine.

    An empty panel, or one of which nothing is left, is an error like any other.
    """
    with marked(panel.table, limits) as rows:
        names = (*contract.STUDENT_MONTH.names, "source_rows", IDLE, "alone", "failed", "kept")
        verdicts = failures(rows, PANEL_RULES, limits).select(*names)
        rows = keep(panel.table.get_backend(), "checking the rows", verdicts)
    account, findings = count_failures(
        rows, PANEL_RULES, limits, "attendance", panel.lost, "source_rows", idle=panel.shape == "student_day"
    )
    accounts = [account]
    for part in panel.parts:
        own_account, more = _of_part(part)
        accounts.append(own_account)
        findings += more
    if not account.used:
        reason = "No row is left to use. " + (
            "The file has no rows." if not account.rows_in else "The rules above say why."
        )
        findings.append(Finding("attendance", "nothing_left", "error", "", account.rows_in, "refused", reason))
    report = CheckReport(name, panel.shape, simulated, tuple(accounts), tuple(findings), panel.left_out)
    return report, rows


def inspect_visits(
    log: Source, students: Table | None, limits: Limits, name: str, most_unmatched: float, simulated: bool = False
) -> tuple[CheckReport, Table]:
    """Count what is wrong with the visit log; the log comes back with what its rows `failed`, kept in the engine.

    Parameters
    ----------
    log
        From `readers.read_visits`.
    students
        The rows of attendance whose students the log names; without them, whether they are there is not asked.
    limits, name, simulated
        See `inspect_attendance`.
    most_unmatched
        Share of the log's students who may be missing from the attendance files.
    """
    rows = log.table
    together = rows.completed.sum().over(ibis.window(group_by=["student", "visit_date"]))
    identified = rows.student.notnull() & rows.visit_date.notnull()
    rows = rows.mutate(again=rows.completed & identified & (together > 1))
    if students is None:
        rows = rows.mutate(in_attendance=ibis.literal(True), outside=ibis.literal(False), too_early=ibis.literal(False))
    else:
        students_inside = students.group_by("student").agg(own_first=students.month.min())
        rows = rows.left_join(students_inside, "student", rname="{name}_there")
        rows = rows.mutate(in_attendance=rows.student_there.notnull()).drop("student_there")
        rows = rows.cross_join(students.aggregate(first_month=students.month.min(), last_month=students.month.max()))
        month = rows.visit_date.truncate("M")
        inside = month.between(rows.first_month, rows.last_month)
        rows = rows.mutate(
            outside=rows.completed & ~inside, too_early=rows.completed & inside & (month < rows.own_first)
        )
    rows = keep(log.table.get_backend(), "checking the visit log", failures(rows, VISIT_RULES, limits))
    account, findings = count_failures(rows, VISIT_RULES, limits, "visits", log.lost)
    if students is not None and account.rows_in:
        findings += _unmatched(rows, most_unmatched) + _all_outside(rows)
    report = CheckReport(name, "visits", simulated, (account,), tuple(findings), log.files.left_out)
    return report, rows


def _unmatched(rows: Table, most: float) -> list[Finding]:
    one = rows.group_by("student").agg(there=rows.in_attendance.any())
    query = one.aggregate(total=one.count(), missing=(~one.there).sum())
    row = sealed("matching the visit log", query.to_pyarrow).to_pylist()[0]
    total, missing = int(row["total"]), int(row["missing"] or 0)
    if missing <= most * total:
        return []
    reason = (
        f"More than {most:.0%} of the students in the visit log are not in the attendance files. Either one of the "
        "two ids lost its zeros, or the files are of other years; `max_unmatched` in params/students.yml is the share "
        "that is allowed."
    )
    return [Finding("visits", "log_does_not_match", "error", "", missing, "refused", reason)]


NO_VISIT_INSIDE = "no_visit_inside"


def _all_outside(rows: Table) -> list[Finding]:
    """Refuse a log of which no completed visit lies in the months of the attendance files."""
    query = rows.aggregate(met=rows.completed.sum(), outside=rows.outside.sum())
    row = sealed("matching the visits' months", query.to_pyarrow).to_pylist()[0]
    outside = int(row["outside"] or 0)
    if not outside or outside < int(row["met"]):
        return []
    reason = (
        "Every visit lies outside the months of the attendance files, so that nobody is seen around a visit. Add the "
        "attendance of the months before and after the visits."
    )
    return [Finding("visits", NO_VISIT_INSIDE, "error", "", outside, "refused", reason)]


def check_path(
    path: Path | str,
    how: Reading | None = None,
    known_districts: tuple[str, ...] = (),
    roster: Path | str | None = None,
    con: BaseBackend | None = None,
) -> CheckReport:
    """Check attendance files or a visit log against every rule, without ever fetching a row.

    Parameters
    ----------
    path, how, known_districts, roster, con
        As in `leapstudy.students.handle.open_students`; the file may also be a visit log.

    Raises
    ------
    BadInput
        If the files cannot be opened or lack columns.
    """
    engine, reading = con or connect(), how or Reading()
    kind = shape_of(path, reading)
    name, simulated = Path(path).name, is_simulated(path)
    if kind == "visits":
        return inspect_visits(
            read_visits(engine, path, reading), None, Limits(supports=reading.supports), name, 1, simulated
        )[0]
    panel = open_panel(engine, path, reading, kind, roster)
    return inspect_attendance(panel, limits_for(panel.table, known_districts, reading), name, simulated)[0]


def refuse(reports: Sequence[CheckReport]) -> None:
    """Raise `BadInput` with the reports' own words where one of them is not usable."""
    bad = [report for report in reports if not report.ok]
    if bad:
        raise BadInput("\n".join(report.text() for report in bad))


def kept_rows(rows: Table, columns: Sequence[str]) -> Table:
    """Return the rows that no rule leaves out."""
    return rows.filter(rows.kept).select(*columns)
