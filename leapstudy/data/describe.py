"""What the figures look like before any model: raw means, and how far the two editions disagree."""

import pandas as pd

from leapstudy.data.load import StudyData

GROUP_LABELS = {
    "leap": "LEAP districts",
    "alliance": "Alliance districts without LEAP",
    "others": "All other districts",
}


def study_group(districts: pd.DataFrame) -> pd.Series:
    """Return each district's group by code: leap, alliance (without LEAP) or others (neither)."""
    group = pd.Series("others", index=districts["district_code"], dtype="str")
    group[districts["alliance"].to_numpy()] = "alliance"
    group[districts["leap"].to_numpy()] = "leap"
    return group


def raw_means(data: StudyData, edition: str = "2022-23", group: str = "all") -> pd.DataFrame:
    """Return the mean attendance of each group of districts by year, districts weighted equally.

    Only districts with all years of the edition count, so that no mean moves because a district came or went.

    Returns
    -------
    DataFrame
        group, label, year, rate_pct (percent), n_districts.
    """
    rows = data.attendance[(data.attendance["edition"] == edition) & (data.attendance["group"] == group)]
    complete = rows.groupby("district_code")["year"].transform("count") == rows["year"].nunique()
    kept = rows[complete].assign(study_group=rows["district_code"].map(study_group(data.districts)))
    means = kept.groupby(["study_group", "year"], as_index=False).agg(
        rate_pct=("rate", "mean"), n_districts=("rate", "size")
    )
    labels = means["study_group"].map(GROUP_LABELS)
    return means.rename(columns={"study_group": "group"}).assign(label=labels, rate_pct=100 * means["rate_pct"])


def edition_differences(data: StudyData) -> pd.DataFrame:
    """Return how far the 2022-23 edition moved each figure of the 2021-22 edition, in points of attendance.

    Returns
    -------
    DataFrame
        district_code, district, leap, year, older_pct, newer_pct, moved_pp (newer minus older).
    """
    rows = data.attendance[data.attendance["group"] == "all"].assign(rate=lambda frame: 100 * frame["rate"])
    wide = rows.pivot(index=["district_code", "year"], columns="edition", values="rate").dropna().reset_index()
    wide = wide.rename(columns={"2021-22": "older_pct", "2022-23": "newer_pct"})
    named = wide.merge(
        data.districts[["district_code", "district", "leap"]], on="district_code", how="left", validate="many_to_one"
    )
    named = named.assign(moved_pp=named["newer_pct"] - named["older_pct"])
    return named[["district_code", "district", "leap", "year", "older_pct", "newer_pct", "moved_pp"]]
