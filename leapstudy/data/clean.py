"""From the published tables to the study's: one small rule each, and an entry in the ledger for what it changed."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pandas as pd

from leapstudy.data.tables import STATE_CODE

GROUPS = {"All Students": "all", "Students With High Needs": "high_needs"}
GREENWICH, LEARN, GOODWIN = "0570011", "2450014", "2310018"
UNUSABLE = ((GREENWICH, "2019-20"),)
"""District-years that are reporting errors: Greenwich 2019-20 shows 99.96% attendance and 0.1% chronic absence."""


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


def split_state(frame: pd.DataFrame, table: str) -> tuple[pd.DataFrame, pd.DataFrame, Entry]:
    """Return the districts' rows, the state's own rows, and the entry."""
    is_state = frame["district_code"] == STATE_CODE
    districts = frame[~is_state].reset_index(drop=True)
    entry = Entry(
        "split_state",
        table,
        "the state's row is no district; kept apart for the charts",
        len(frame),
        len(districts),
        "Connecticut",
    )
    return districts, frame[is_state].reset_index(drop=True), entry


def unify_years(frame: pd.DataFrame, table: str) -> Cleaned:
    """Write every school year as 2019-20, also where the publisher wrote 2019-2020."""
    years = frame["year"].str.replace(r"^(\d{4})-\d\d(\d\d)$", r"\1-\2", regex=True)
    changed = int((years != frame["year"]).sum())
    return frame.assign(year=years), Entry(
        "unify_years", table, f"one way to write a school year; {changed} labels rewritten", len(frame), len(frame)
    )


def name_groups(frame: pd.DataFrame, table: str) -> Cleaned:
    """Give student groups their short names; a table without groups is of all students."""
    groups = frame["group"].map(GROUPS) if "group" in frame else pd.Series("all", index=frame.index)
    return frame.assign(group=groups.astype("str")), Entry(
        "name_groups", table, "student groups are called all and high_needs", len(frame), len(frame)
    )


def label_edition(frame: pd.DataFrame, table: str, edition: str) -> Cleaned:
    """Name the edition in every row and say which figures were still year-to-date in it."""
    measure = pd.Series("final", index=frame.index).mask(frame["year"] == edition, "year_to_date").astype("str")
    running = int((measure == "year_to_date").sum())
    reason = f"edition {edition}: {running} figures of {edition} were year-to-date at the release"
    return frame.assign(edition=edition, measure=measure), Entry("label_edition", table, reason, len(frame), len(frame))


def drop_unusable(frame: pd.DataFrame, table: str) -> Cleaned:
    """Drop the district-years that are reporting errors (`UNUSABLE`)."""
    bad = pd.Series(list(zip(frame["district_code"], frame["year"], strict=True)), index=frame.index).isin(UNUSABLE)
    reason = "Greenwich 2019-20 is a reporting error (99.96% attendance, 0.1% chronic absence)"
    return frame[~bad].reset_index(drop=True), Entry(
        "drop_unusable", table, reason, len(frame), int((~bad).sum()), "Greenwich 2019-20" if bad.any() else ""
    )


def drop_blank(frame: pd.DataFrame, table: str, value: str) -> Cleaned:
    """Drop cells that the state left blank: suppressed (numerator under 6, denominator under 20) or not listed."""
    there = frame[value].notna()
    codes = sorted(set(frame.loc[~there, "district_code"]))
    named = f"{len(codes)} districts, among them {', '.join(codes[:3])}" if codes else ""
    return frame[there].reset_index(drop=True), Entry(
        "drop_blank", table, "blank in the source: suppressed or not listed", len(frame), int(there.sum()), named
    )


def note_breaks(frame: pd.DataFrame, table: str) -> Cleaned:
    """Say in the open which series break in 2021-22; a contrast leaves out whoever lacks one of its years."""
    reason = "series break in 2021-22 (LEARN loses half its students, Goodwin first appears); LEARN is kept, Goodwin lacks the earlier years and so enters no contrast"
    there = [name for code, name in ((LEARN, "LEARN"), (GOODWIN, "Goodwin")) if code in set(frame["district_code"])]
    return frame, Entry("note_breaks", table, reason, len(frame), len(frame), ", ".join(there))


def chronic_long(wide: pd.DataFrame) -> Cleaned:
    """Turn the wide table of chronic absence into one row a district and year."""
    years = [name for name in wide.columns if name[:2] == "20"]
    long = wide.melt("district_code", years, var_name="year", value_name="percent").sort_values(
        ["district_code", "year"]
    )
    long = long.astype({"year": "str"}).reset_index(drop=True)
    return long, Entry(
        "chronic_long",
        "chronic_absence",
        f"one row a district and year instead of {len(years)} columns",
        len(wide),
        len(long),
    )


def finish(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Keep the study's columns, sorted by district, group and year."""
    keys = [name for name in ("district_code", "edition", "group", "year") if name in columns]
    return frame[list(columns)].sort_values(keys).reset_index(drop=True)
