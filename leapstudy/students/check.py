"""`leapstudy check`: one aggregate query says how many rows fail which rule in which district, and no row is shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import ibis
import pandas as pd
from ibis.backends.duckdb import Backend
from ibis.expr.types import Table

from leapstudy.students.disclosure import MIN_COUNT, rounded, shown
from leapstudy.students.engine import connect, sealed
from leapstudy.students.readers import Shape, open_panel, read_visits, shape_of
from leapstudy.students.rules import PANEL_RULES, VISIT_RULES, Limits, Rule, failures, marked
from leapstudy.students.simulate import is_simulated

NOWHERE = "no known district"


@dataclass(frozen=True, slots=True, repr=False)
class CheckReport:
    """What `check_path` found.

    `counts` has one row per rule and district with failures: rule, severity, district_code, rows. It is exact and
    for programs; `text` is for people and hides small counts.
    """

    path: str
    shape: str
    simulated: bool
    rows_in: int
    rows_out: int
    counts: pd.DataFrame
    rules: tuple[Rule, ...]

    @property
    def ok(self) -> bool:
        """Whether no rule of severity error failed; the command exits with 2 otherwise."""
        return not (self.counts["severity"] == "error").any()

    def __repr__(self) -> str:
        return self.text()

    def text(self) -> str:
        """Return the report in plain words; counts below six are not told apart."""
        hidden = self.counts["rows"].lt(MIN_COUNT).any()
        count = rounded if hidden else "{:,}".format
        head = f"{self.path}: {self.shape.replace('_', ' ')} rows" + (" (SIMULATED)" if self.simulated else "")
        lines = [head, f"Rows in: {count(self.rows_in)}. Rows that stay: {count(self.rows_out)}."]
        for rule in self.rules:
            found = self.counts[self.counts["rule"] == rule.id]
            if len(found):
                lines += _rule_lines(rule, found)
        lines.append(_verdict(self.counts, self.ok))
        return "\n".join(lines)


def _rule_lines(rule: Rule, found: pd.DataFrame) -> list[str]:
    """Say one rule's failures; where a district's count is hidden the total is only a lower bound."""
    large = found.loc[found["rows"] >= MIN_COUNT, "rows"]
    total = f"{large.sum():,}" if len(large) == len(found) else f"at least {large.sum():,}" if len(large) else "a few"
    places = [f"    {code}: {shown(rows)}" for code, rows in zip(found["district_code"], found["rows"], strict=True)]
    return [f"  [{rule.severity}] {rule.id}: {total} rows, {rule.fix}. {rule.explanation}", *places]


def _verdict(counts: pd.DataFrame, ok: bool) -> str:
    if not len(counts):
        return "Nothing to report: every rule holds for every row."
    if ok:
        return "Usable: what is listed above was repaired, set aside or only noted."
    failed = ", ".join(counts.loc[counts["severity"] == "error", "rule"].unique())
    return f"Not usable before these are mended at the source: {failed}."


def count_failures(rows: Table, rules: tuple[Rule, ...], limits: Limits) -> tuple[int, int, pd.DataFrame]:
    """Return rows in, rows kept, and failures by rule and district, from one aggregate query.

    A code that matches no known district is never repeated: a slipped column could hold a student's id.
    """
    flagged = failures(rows, rules, limits)
    known = flagged.district_code.re_search("^[0-9]{7}$")
    if limits.known_districts:
        known = flagged.district_code.isin(limits.known_districts)
    flagged = flagged.mutate(district=ibis.ifelse(known.fill_null(False), flagged.district_code, NOWHERE))
    sums = {rule.id: flagged[f"bad_{rule.id}"].sum() for rule in rules}
    query = flagged.group_by("district").agg(rows_in=flagged.count(), rows_out=flagged.kept.sum(), **sums)
    table = sealed("counting", query.to_pandas).sort_values("district")
    long = table.melt("district", [rule.id for rule in rules], var_name="rule", value_name="rows")
    severity = long["rule"].map({rule.id: rule.severity for rule in rules})
    long = long.assign(severity=severity).rename(columns={"district": "district_code"})
    long = long.loc[long["rows"] > 0, ["rule", "severity", "district_code", "rows"]].reset_index(drop=True)
    return int(table["rows_in"].sum()), int(table["rows_out"].sum()), long


def check_path(
    path: Path | str,
    mapping: Mapping[str, str] | None = None,
    known_districts: tuple[str, ...] = (),
    shape: Shape | None = None,
    roster: Path | str | None = None,
    con: Backend | None = None,
) -> CheckReport:
    """Check attendance files or a visit log against every rule, without ever fetching a row.

    Parameters
    ----------
    path
        A file, a folder or a glob.
    mapping
        The contract's column names to the files' own.
    known_districts
        Legal district codes; empty accepts every code of seven digits.
    shape
        How the attendance is kept; found from the columns if not given.
    roster
        School and grade by student, for the shape `ct_monthly`.
    con
        The engine; a new one by default.

    Raises
    ------
    BadInput
        If the files cannot be opened or lack columns.
    """
    engine, limits = con or connect(), Limits(known_districts=tuple(known_districts))
    kind = shape or shape_of(path, engine, mapping)
    if kind == "visits":
        rules, rows = VISIT_RULES, read_visits(engine, path, mapping)
    else:
        rules, rows = PANEL_RULES, marked(open_panel(engine, path, kind, mapping, roster=roster))
    rows_in, rows_out, counts = count_failures(rows, rules, limits)
    return CheckReport(Path(path).name, kind, is_simulated(path), rows_in, rows_out, counts, rules)
