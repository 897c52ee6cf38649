"""Who may be drawn, with counts: units by a rule over their table and past figures, or students by their absence."""

from collections.abc import Sequence

import pandas as pd

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.phrases import counted
from leapstudy.data import StudyData, load_study
from leapstudy.data.districts import rule_mask
from leapstudy.data.long_series import load_long_series
from leapstudy.data.names import outcome_unit, unit_noun
from leapstudy.data.state import AtLeast, AtMost, Where, load_state
from leapstudy.students.disclosure import shown
from leapstudy.students.eligible import JOIN, Rule
from leapstudy.students.engine import connect
from leapstudy.students.handle import StudentData, open_named
from leapstudy.students.pseudonyms import own_ids
from leapstudy.students.readers import open_panel
from leapstudy.students.settings import StudentSettings, input_files, load_settings

# Figures of a rule are told as they were typed: an enrollment of 1,234,567 is no 1.23457e+06.
FIGURE = ".10g"


def rates(data: StudyData, outcome: str) -> pd.DataFrame:
    """Return an outcome in percent or in its own unit: one row a unit (index: its code), one column a school year.

    Figures that were preliminary at their release are left out.

    Raises
    ------
    BadInput
        For an outcome that `params/state.yml` does not declare.
    """
    if outcome not in data.state.outcomes:
        raise bad_value("outcome", outcome, data.state.outcomes)
    item = data.state.outcomes[outcome]
    if item.long is not None:
        series = load_long_series(data.state, outcome, pd.Index(data.districts["district_code"]))
        return series.rates.drop(columns=[year for year in item.long.shown if year in series.rates])
    if (own := data.table_of(outcome)) is not None:
        return own.rows.pivot(index="district_code", columns="year", values="percent")
    rows = data.attendance
    rows = rows[(rows["edition"] == data.state.usual("editions")) & (rows["group"] == item.group)]
    rows = rows[rows["measure"].str.startswith("final")]
    return 100 * rows.pivot(index="district_code", columns="year", values="rate")


def eligible_units(data: StudyData, where: Where) -> pd.DataFrame:
    """Return the rows of the units that meet a rule and have no start yet.

    Parameters
    ----------
    data
        The study's tables.
    where
        Columns of the table of units, or ``"outcome year"`` such as ``"chronic_absence 2031-32"`` in percent.

    Raises
    ------
    BadInput
        For a column, outcome or year that is not there, and for a rule that fewer than two units meet.
    """
    units = data.districts
    for column in where:
        outcome, _, year = column.rpartition(" ")
        if outcome in data.state.outcomes:
            table = rates(data, outcome)
            if year not in table:
                raise bad_value(f"school year of {outcome}", year, table.columns)
            units = units.assign(**{column: units["district_code"].map(table[year])})
    eligible = units[rule_mask(units, where) & ~units["district_code"].isin(data.starts)]
    if len(eligible) < 2:
        units = counted(len(eligible), *data.state.unit.noun["en"])
        verb = "meets" if len(eligible) == 1 else "meet"
        raise BadInput(f"Only {units} {verb} the rule ({rule_words(where)}). Widen `eligible:` in rollout.yml.")
    return eligible


def rule_words(where: Where) -> str:
    """Return a rule over units in words: outcomes and columns as the study calls them, figures with their unit."""
    clauses = []
    for column, condition in where.items():
        name, unit = _name_and_unit(column)
        if isinstance(condition, AtLeast):
            clauses.append(f"{name} at least {condition.at_least:{FIGURE}}{unit}")
        elif isinstance(condition, AtMost):
            clauses.append(f"{name} at most {condition.at_most:{FIGURE}}{unit}")
        elif isinstance(condition, bool):
            clauses.append(f"{name}: {'yes' if condition else 'no'}")
        elif isinstance(condition, tuple):
            clauses.append(f"{name} is {', '.join(condition)}")
        else:
            clauses.append(f"{name} is {condition if isinstance(condition, str) else f'{condition:{FIGURE}}{unit}'}")
    return "; ".join(clauses) or f"every {unit_noun()}"


def _name_and_unit(column: str) -> tuple[str, str]:
    """Return what a rule's column is called, and the unit behind its figures (empty where it is told, or has none)."""
    state = load_state()
    outcome, _, year = column.rpartition(" ")
    if outcome in state.outcomes:
        return f"{state.outcomes[outcome].words} in {year}", outcome_unit(outcome, "sign")
    words = {trait.column: trait.words for trait in state.unit.traits.values() if not trait.log}
    return words.get(column, state.unit.listed.get(column, column.replace("_", " "))), ""


def unit_strata(units: pd.DataFrame, columns: Sequence[str]) -> dict[str, str]:
    """Return code -> stratum, a blank cell as ``not known``."""
    for column in columns:
        if column not in units:
            raise bad_value("column of strata", column, units.columns)
    text = units[list(columns)].astype("object").where(units[list(columns)].notna(), "not known").astype(str)
    names = text.agg(JOIN.join, axis=1) if columns else pd.Series("all", index=units.index)
    return dict(zip(units["district_code"], names, strict=True))


def students_before(settings: StudentSettings | None = None) -> StudentData:
    """Open the attendance files of `params/students.yml`, with the visit log where there is one already."""
    known = tuple(load_study(started=False).districts["district_code"])
    return open_named(settings or load_settings(), known, before=True, inside=False)


def own_numbers(settings: StudentSettings, ids: frozenset[str]) -> dict[str, str]:
    """Return pseudonym -> own number of the students wanted; empty where the files hold pseudonyms."""
    files, con = input_files(settings, before=True), connect(settings.memory_limit, engine=settings.engine)
    panel = open_panel(con, files["attendance"], settings.reading, settings.shape or None, files.get("roster"))
    return own_ids(panel.table, ids)


def enrolled(data: StudyData, units: pd.DataFrame) -> tuple[float, str]:
    """Return the students of the units in the newest year that has them, and that year; 0 and no year if none has."""
    rows = data.attendance[data.attendance["group"] == "all"].dropna(subset=["students"])
    if rows.empty:
        return 0.0, ""
    year = str(rows["year"].max())
    newest = rows[rows["year"] == year].drop_duplicates("district_code").set_index("district_code")
    return float(newest["students"].reindex(units["district_code"]).sum()), year


def units_sentence(data: StudyData, where: Where) -> str:
    """Return how many units and students meet the rule, in a sentence."""
    eligible = eligible_units(data, where)
    students, year = enrolled(data, eligible)
    size = f" with {students:,.0f} students ({year})" if students else ""
    units = counted(len(eligible), *data.state.unit.noun["en"])
    return f"{units}{size} may be drawn: {rule_words(where)}; without a start until now."


def students_sentence(data: StudentData, rule: Rule, month: str, eligible: int) -> str:
    """Return how many of the students may be drawn, in a sentence; a small count is not shown."""
    return (
        f"{shown(eligible)} of {shown(data.size.students)} students may be drawn: {rule.words()}, up to {month}; not "
        "referred until then."
    )
