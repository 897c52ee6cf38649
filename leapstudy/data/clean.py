"""From the published tables to the study's: one small rule each, and an entry in the ledger for what it changed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.phrases import counted
from leapstudy.data.schema import BOUND
from leapstudy.data.state import Calendar, Outcome, State
from leapstudy.data.tables import PublishedTable


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger: what a rule did to a table, and to whom."""

    rule: str
    table: str
    reason: str
    rows_before: int
    rows_after: int
    districts: str = ""


Cleaned = tuple[pd.DataFrame, Entry]


def ledger_frame(entries: Sequence[Entry]) -> pd.DataFrame:
    """Return the ledger as a frame, one row a rule and table, in the order of application."""
    return pd.DataFrame([asdict(entry) for entry in entries], columns=list(Entry.__slots__))


def split_state(frame: pd.DataFrame, table: str, state: State) -> tuple[pd.DataFrame, pd.DataFrame, Entry]:
    """Return the districts' rows, the state's own rows, and the entry."""
    is_state = frame["district_code"] == state.unit.code.whole_state
    districts = frame[~is_state].reset_index(drop=True)
    entry = Entry(
        "split_state",
        table,
        f"the state's row is no {state.unit.noun['en'][0]}; kept apart for the charts",
        len(frame),
        len(districts),
        state.state.name if is_state.any() else "",
    )
    return districts, frame[is_state].reset_index(drop=True), entry


def unify_years(frame: pd.DataFrame, table: str, calendar: Calendar) -> Cleaned:
    """Write every school year as 2007-08, in whatever form of `calendar.written` the publisher wrote it.

    Raises
    ------
    BadInput
        For a label that is no school year in any of these forms.
    """
    read = {label: calendar.read(label) for label in frame["year"].unique()}
    odd = [label for label, year in read.items() if not year]
    if odd:
        forms = ", ".join(calendar.written)
        raise BadInput(f"{table}: {', '.join(map(repr, odd))} is no school year as the files write them ({forms}).")
    years = frame["year"].map(read).astype("str")
    n_changed = int((years != frame["year"]).sum())
    return frame.assign(year=years), Entry(
        "unify_years", table, f"one way to write a school year; {n_changed} labels rewritten", len(frame), len(frame)
    )


def name_groups(frame: pd.DataFrame, table: PublishedTable) -> Cleaned:
    """Give published choices the study's names, and fill the columns that the table lacks."""
    choices = {column.name: column.values for column in table.columns if column.values}
    columns = {name: frame[name].map(values).astype("str") for name, values in choices.items()}
    constants = {name: pd.Series(value, index=frame.index, dtype="str") for name, value in table.constant.items()}
    published = [value for values in choices.values() for value in values.values()]
    names = dict.fromkeys([*published, *table.constant.values()])
    reason = f"student groups are called {' and '.join(names) or 'as published'}"
    return frame.assign(**columns, **constants), Entry("name_groups", table.name, reason, len(frame), len(frame))


def label_edition(frame: pd.DataFrame, table: str, edition: str, running_years: Collection[str]) -> Cleaned:
    """Name the edition in every row and say which figures were still year-to-date in it."""
    measure = (
        pd.Series("final", index=frame.index).mask(frame["year"].isin(running_years), "year_to_date").astype("str")
    )
    running = int((measure == "year_to_date").sum())
    reason = f"edition {edition}: {running} figures were year-to-date at the release"
    return frame.assign(edition=edition, measure=measure), Entry("label_edition", table, reason, len(frame), len(frame))


def add_up(frame: pd.DataFrame, table: PublishedTable) -> Cleaned:
    """Make one row of a unit's several rows in a year, as `add_up` of the table says; a hidden one hides the sum."""
    rule = table.add_up
    if rule is None:
        return frame, Entry("add_up", table.name, "one row a unit and year already", len(frame), len(frame))
    keys = [*(name for name in table.key if name != rule.over), *(name for name in table.constant)]
    weight = frame[rule.denominator]
    rate = frame["rate"] if "rate" in frame else weight * float("nan")
    parts = frame.assign(
        **{name: frame[name] for name in keys},
        _numerator=frame[rule.numerator],
        _denominator=weight,
        _rate=rate * weight,
        _bounded=frame.get(f"rate{BOUND}", pd.Series(False, index=frame.index)),
    )
    groups = parts.groupby(keys, sort=False)
    sums = groups[["_numerator", "_denominator", "_rate"]].sum()
    hidden = (
        parts[["_numerator", "_denominator", "_rate"]].isna().groupby([parts[name] for name in keys], sort=False).any()
    )
    sums = sums.mask(hidden)
    out = pd.DataFrame(
        {
            rule.to: 100 * sums["_numerator"] / sums["_denominator"],
            "students": sums["_denominator"],
            "rate": sums["_rate"] / sums["_denominator"],
            f"rate{BOUND}": groups["_bounded"].any(),
        }
    ).reset_index()
    reason = f"rows of each {rule.over} added up by their {rule.denominator}"
    return out, Entry("add_up", table.name, reason, len(frame), len(out))


def drop_unusable(frame: pd.DataFrame, table: str, state: State, names: Mapping[str, str]) -> Cleaned:
    """Drop the figures that the state's `exclusions` name."""
    pairs = pd.Series(list(zip(frame["district_code"], frame["year"], strict=True)), index=frame.index)
    bad = pairs.isin([(item.unit, item.year) for item in state.exclusions])
    hit = [item for item in state.exclusions if (item.unit, item.year) in set(pairs)]
    reasons = {f"{names.get(item.unit, item.unit)} {item.year}": item.why for item in hit}
    reason = "; ".join(f"{what}: {why}" for what, why in reasons.items()) or "no figure of the exclusions is here"
    entry = Entry("drop_unusable", table, reason, len(frame), int((~bad).sum()), ", ".join(reasons))
    return frame[~bad].reset_index(drop=True), entry


def drop_blank(frame: pd.DataFrame, table: str, value: str, noun: tuple[str, str]) -> Cleaned:
    """Drop cells that the state left blank: suppressed by its rule or not listed."""
    published = frame[value].notna()
    codes = sorted(set(frame.loc[~published, "district_code"]))
    note = f"{counted(len(codes), *noun)}, among them {', '.join(codes[:3])}" if codes else ""
    return frame[published].reset_index(drop=True), Entry(
        "drop_blank", table, "blank in the source: suppressed or not listed", len(frame), int(published.sum()), note
    )


def drop_late(units: pd.DataFrame, state: State, late: Collection[str], *, drawn: bool) -> Cleaned:
    """Leave out the units that start after the newest figures: not treated yet, and no comparison either.

    Where lots decided they wait, as those `drawn` for no phase do, and are the draw's own comparison.
    """
    remaining, entry = _apart(units, state, late, "drop_late", "starts after the newest figures")
    if not drawn:
        return remaining, entry
    waiting = units.assign(treated=units["treated"] & ~units["district_code"].isin(late))
    return waiting, replace(entry, rows_after=len(waiting))


def drop_early(units: pd.DataFrame, state: State, early: Collection[str]) -> Cleaned:
    """Leave out the units of which no figure is older than the program: no change to see, and no comparison either."""
    return _apart(units, state, early, "drop_early", "has no figure from before it")


def _apart(units: pd.DataFrame, state: State, codes: Collection[str], rule: str, why: str) -> Cleaned:
    inside = units["district_code"].isin(codes)
    names, remaining = ", ".join(units.loc[inside, "district"]), units[~inside].reset_index(drop=True)
    return remaining, Entry(rule, state.unit.table, f"{state.program.short} {why}", len(units), len(remaining), names)


def note_breaks(frame: pd.DataFrame, table: str, state: State, names: Mapping[str, str]) -> Cleaned:
    """Say in the open which series break; a contrast leaves out whoever lacks one of its years."""
    breaks = [item for item in state.breaks if item.unit in set(frame["district_code"])]
    reason = "; ".join(f"{item.year}: {item.why}" for item in breaks) or "no series is known to break"
    names_broken = ", ".join(names.get(item.unit, item.unit) for item in breaks)
    return frame, Entry("note_breaks", table, reason, len(frame), len(frame), names_broken)


def chronic_long(wide: pd.DataFrame, table: PublishedTable) -> Cleaned:
    """Turn a wide table of chronic absence, one column a year, into one row a unit and year."""
    shares = {
        column.name: 100 * wide[column.name] for column in table.columns if column.year and column.kind == "fraction"
    }
    long = (
        wide.assign(**shares)
        .rename(columns=table.years)
        .melt("district_code", list(table.years.values()), var_name="year", value_name="percent")
    )
    bounds = {f"{name}{BOUND}": year for name, year in table.years.items() if f"{name}{BOUND}" in wide}
    if bounds:
        bound_columns = wide[["district_code", *bounds]].rename(columns=bounds)
        bound_columns = bound_columns.melt("district_code", var_name="year", value_name=f"percent{BOUND}")
        long = long.merge(bound_columns, how="left", on=["district_code", "year"])
        long[f"percent{BOUND}"] = long[f"percent{BOUND}"].eq(True)  # a year whose cells are never bounds has none
    long = long.sort_values(["district_code", "year"]).astype({"year": "str"}).reset_index(drop=True)
    reason = f"one row a unit and year instead of {len(table.years)} columns"
    return long, Entry("chronic_long", table.name, reason, len(wide), len(long))


def measured(frame: pd.DataFrame, table: PublishedTable, outcome: Outcome) -> Cleaned:
    """Put an outcome with a table of its own into `percent`: a share in percent, anything else in its own unit.

    `students` is what it is divided by, else the table's enrollment; a division by none gives no figure.

    Raises
    ------
    BadInput
        If a share is above 100 percent: the two columns do not belong to each other.
    """
    if table.add_up:
        rows, entry = add_up(frame, table)
        return rows.rename(columns={table.add_up.to: "percent"}), entry
    students = frame[outcome.divided_by or "students"] if outcome.divided_by or "students" in frame else float("nan")
    value = frame[outcome.column] * (100.0 if table.column(outcome.column).kind == "fraction" else 1.0)
    reason = f"{outcome.words}: the column {outcome.column}"
    if outcome.divided_by:
        value = outcome.per * value / frame[outcome.divided_by].where(frame[outcome.divided_by] > 0)
        reason += f", for each {outcome.per:g} of {outcome.divided_by}"
        if outcome.measure is None and (above := int((value > 100).sum())):
            raise BadInput(
                f"{table.name}: {outcome.column} is above {outcome.divided_by} in {counted(above, 'row')}, so that it "
                "is no share of it. Name the right columns, or give the outcome a `measure`."
            )
    bound_column = {f"percent{BOUND}": frame[f"{outcome.column}{BOUND}"]} if f"{outcome.column}{BOUND}" in frame else {}
    whole = frame.assign(percent=value, students=students, **bound_column)
    return whole, Entry("measured", table.name, reason, len(frame), len(frame))


def finish(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Keep the study's columns, sorted by district, group and year."""
    keys = [name for name in ("district_code", "edition", "group", "year") if name in columns]
    return frame[list(columns)].sort_values(keys).reset_index(drop=True)
