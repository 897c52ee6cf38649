"""Spoil simulated rows at known rates, so that a test knows how many faults `leapstudy check` must find."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from leapstudy.students.simulate.config import DirtKind, WrongCodes

Spoil = Callable[[pd.DataFrame, np.random.Generator, WrongCodes], pd.DataFrame]


def _over(low: int, high: int) -> Spoil:
    def spoil(rows: pd.DataFrame, rng: np.random.Generator, wrong: WrongCodes) -> pd.DataFrame:
        """Let days attended exceed days enrolled by `low` to `high`."""
        return rows.assign(days_attended=rows["days_enrolled"] + rng.integers(low, high + 1, len(rows)))

    return spoil


def _zero_membership(rows: pd.DataFrame, rng: np.random.Generator, wrong: WrongCodes) -> pd.DataFrame:
    return rows.assign(days_enrolled=0, days_attended=0)


def _with_copies(rows: pd.DataFrame, rng: np.random.Generator, wrong: WrongCodes) -> pd.DataFrame:
    shorter = rows["days_enrolled"] - 3
    copies = rows.assign(days_enrolled=shorter, days_attended=rows["days_attended"].clip(upper=shorter))
    return pd.concat([rows, copies])


def _conflicting(rows: pd.DataFrame, rng: np.random.Generator, wrong: WrongCodes) -> pd.DataFrame:
    other = rows["days_attended"] - 1
    return pd.concat([rows, rows.assign(days_attended=other.where(other >= 0, 1))])


def _two_districts(rows: pd.DataFrame, rng: np.random.Generator, wrong: WrongCodes) -> pd.DataFrame:
    days_there = rows["days_attended"].clip(upper=2)
    home = rows.assign(days_enrolled=rows["days_enrolled"] - 2, days_attended=rows["days_attended"] - days_there)
    home["days_attended"] = home["days_attended"].clip(upper=home["days_enrolled"])
    return pd.concat([home, rows.assign(district_code=wrong.elsewhere, days_enrolled=2, days_attended=days_there)])


def _lost_zeros(rows: pd.DataFrame, rng: np.random.Generator, wrong: WrongCodes) -> pd.DataFrame:
    return rows.assign(district_code=rows["district_code"].str.lstrip("0"))


def _unknown_district(rows: pd.DataFrame, rng: np.random.Generator, wrong: WrongCodes) -> pd.DataFrame:
    return rows.assign(district_code=wrong.nowhere)


ROW_SPOILERS: dict[DirtKind, Spoil] = {
    "over_by_two": _over(1, 2),
    "over_by_more": _over(3, 8),
    "zero_membership": _zero_membership,
    "repeated": _with_copies,
    "conflicting": _conflicting,
    "two_districts": _two_districts,
    "lost_zeros": _lost_zeros,
    "unknown_district": _unknown_district,
}


def _stop_feeds(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """Let whole school-months look perfect until about `share` of the rows do."""
    group = rows.groupby(["school_code", "month"], observed=True).ngroup().to_numpy()
    order = rng.permutation(group.max() + 1)
    totals = np.cumsum(np.bincount(group)[order])
    is_stopped = np.isin(group, order[: int(np.searchsorted(totals, share * len(rows)))])
    return rows.assign(days_attended=rows["days_attended"].mask(is_stopped, rows["days_enrolled"])), is_stopped


def spoil(
    rows: pd.DataFrame, rates: dict[DirtKind, float], wrong: WrongCodes, seed: list[int]
) -> tuple[pd.DataFrame, dict[DirtKind, int]]:
    """Return the rows with faults, and how many rows were spoilt by kind; no row is spoilt twice.

    Parameters
    ----------
    rows
        Clean rows as made by `student_months`; not changed.
    rates
        Share of rows by kind of fault.
    wrong
        Codes of districts that are not a row's own.
    seed
        What the choice of rows depends on.
    """
    if not rates:
        return rows, {}
    rng = np.random.default_rng(seed)
    codes = rows["district_code"].astype(str)
    rows, is_stopped = _stop_feeds(rows.assign(district_code=codes), rates.get("stopped_feed", 0), rng)
    counts: dict[DirtKind, int] = {"stopped_feed": int(is_stopped.sum())}
    free = rng.permutation(np.flatnonzero(~is_stopped))
    parts = []
    for kind, change in ROW_SPOILERS.items():
        size = round(rates.get(kind, 0) * len(rows))
        if kind == "lost_zeros" and not codes.iloc[0].startswith("0"):
            size = 0
        places, free = free[:size], free[size:]
        counts[kind] = len(places)
        parts.append(change(rows.iloc[places], rng, wrong))
    clean = rows[is_stopped | np.isin(np.arange(len(rows)), free)]
    return pd.concat([clean, *parts], ignore_index=True), counts
