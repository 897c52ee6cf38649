"""What the figures look like before any model: raw means, and how far two editions disagree."""

import numpy as np
import pandas as pd

from leapstudy.core.cache import of_last
from leapstudy.core.errors import BadInput
from leapstudy.data.districts import rule_mask
from leapstudy.data.load import StudyData
from leapstudy.data.state import State

# Keys of the treated units, and of units that are neither treated nor in the study's own comparison group.
TREATED, REST = "treated", "others"


def group_labels(state: State) -> dict[str, str]:
    """Return the groups of the raw means in order: the treated units, the study's own comparison group, the rest."""
    own, noun = state.usual("groups"), state.unit.noun["en"][1]
    labels = {TREATED: f"{state.program.short} {noun}", own: state.groups[own].words.long}
    return labels if own == REST else {**labels, REST: f"All other {noun}"}


def study_group(data: StudyData) -> pd.Series:
    """Return each unit's group by code; see `group_labels`."""
    units, own = data.districts, data.state.usual("groups")
    group = pd.Series(REST, index=units["district_code"], dtype="str")
    group[rule_mask(units, data.state.groups[own].where).to_numpy(bool)] = own
    group[units["treated"].to_numpy(bool)] = TREATED
    return group


def traits_of_units(data: StudyData, *, adjust: bool = False) -> dict[str, pd.Series]:
    """Return the declared traits by name, each a series over the units' codes; with `adjust` those of a regression.

    A unit of no students has no logarithm: its trait is not known.
    """
    units = data.districts.set_index("district_code")
    return {
        name: np.log(units[trait.column].where(units[trait.column] > 0)) if trait.log else units[trait.column]
        for name, trait in data.state.unit.traits.items()
        if trait.adjust or not adjust
    }


@of_last
def raw_means(data: StudyData, edition: str = "", outcome: str = "") -> pd.DataFrame:
    """Return the mean of each group of units by year, units weighted equally; by default of the newest edition and
    the first outcome.

    Only units with all years of the edition count, so that no mean moves because a unit came or went.

    Returns
    -------
    DataFrame
        group, label, year, rate_pct (percent, or the outcome's own unit), n_districts.
    """
    rows = rows_of(data, edition or data.state.usual("editions"), outcome or data.state.usual("outcomes"))
    complete = rows.groupby("district_code")["year"].transform("count") == rows["year"].nunique()
    complete_rows = rows[complete].assign(study_group=rows["district_code"].map(study_group(data)))
    means = complete_rows.groupby(["study_group", "year"], as_index=False).agg(
        rate_pct=("rate", "mean"), n_districts=("rate", "size")
    )
    labels = means["study_group"].map(group_labels(data.state))
    return means.rename(columns={"study_group": "group"}).assign(label=labels, rate_pct=100 * means["rate_pct"])


def rows_of(data: StudyData, edition: str, outcome: str, *, whole: bool = False) -> pd.DataFrame:
    """Return the units' rows of an outcome, or with `whole` the state's; `rate` is a hundredth of its percent."""
    if own := data.table_of(outcome):
        rows = own.whole if whole else own.rows
        return rows.assign(rate=rows["percent"] / 100)
    rows = data.state_attendance if whole else data.attendance
    return rows[(rows["edition"] == edition) & (rows["group"] == data.state.outcomes[outcome].group)]


def edition_differences(data: StudyData) -> pd.DataFrame:
    """Return how far the newest edition moved each figure of the one before it, in points of attendance.

    Returns
    -------
    DataFrame
        district_code, district, treated, year, older_pct, newer_pct, moved_pp (newer minus older); empty
        with one edition.
    """
    columns = ["district_code", "district", "treated", "year", "older_pct", "newer_pct", "moved_pp"]
    if len(data.state.editions) == 1:
        return pd.DataFrame(columns=columns)
    newer, older = list(data.state.editions)[:2]
    rows = data.attendance[data.attendance["group"] == "all"].assign(rate=lambda frame: 100 * frame["rate"])
    wide = rows.pivot(index=["district_code", "year"], columns="edition", values="rate")[[older, newer]]
    wide = wide.dropna().reset_index().rename(columns={older: "older_pct", newer: "newer_pct"})
    comparison = wide.merge(
        data.districts[["district_code", "district", "treated"]], on="district_code", how="left", validate="many_to_one"
    )
    return comparison.assign(moved_pp=comparison["newer_pct"] - comparison["older_pct"])[columns]


def final_in_both(state: State, years: pd.Series) -> str:
    """Return the last of some school years that was final in the two newest editions.

    Raises
    ------
    BadInput
        If there is no such year.
    """
    running = {year for edition in list(state.editions.values())[:2] for year in edition.preliminary}
    final = sorted(set(years) - running)
    if not final:
        raise BadInput("No school year is final in both editions, so that they cannot be compared.")
    return final[-1]
