"""The slow, obvious way from student rows to moments, and random panels to try it on."""

import numpy as np
import pandas as pd

from leapstudy.students.moments.record import NEVER, Moments


def moments_of(rows: pd.DataFrame, shift: float = 0.0) -> Moments:
    """Return the moments of rows with unit, period, y, cohort (inf = never) and, if wanted, district, stratum,
    weight.
    """
    rows = rows.assign(
        **{k: v for k, v in {"district": "", "stratum": "", "weight": 1.0}.items() if k not in rows.columns}
    )
    periods = np.sort(rows["period"].unique())
    sums: dict[tuple, dict] = {}
    for _, student in rows.groupby("unit"):
        y, seen = np.zeros(len(periods)), np.zeros(len(periods), dtype=bool)
        place = np.searchsorted(periods, student["period"])
        y[place], seen[place] = student["y"] - shift, True
        first = student.iloc[0]
        w = float(first["weight"])
        key = (first["district"], float(first["cohort"]), first["stratum"], tuple(seen))
        cell = sums.setdefault(key, {"n": 0, "w": 0.0, "w2": 0.0, "t": 0.0, "t2": 0.0, "c": 0.0})
        for name, value in {
            "n": 1,
            "w": w,
            "w2": w * w,
            "t": w * y,
            "t2": w * w * y,
            "c": w * w * np.outer(y, y),
        }.items():
            cell[name] = cell[name] + value
    keys, cells = list(sums), list(sums.values())
    return Moments(
        periods=periods.astype(int),
        district=np.array([key[0] for key in keys]),
        cohort=np.array([key[1] for key in keys]),
        stratum=np.array([key[2] for key in keys]),
        seen=np.array([key[3] for key in keys]),
        students=np.array([cell["n"] for cell in cells]),
        weight=np.array([cell["w"] for cell in cells]),
        weight_sq=np.array([cell["w2"] for cell in cells]),
        total=np.array([cell["t"] for cell in cells]),
        total_sq=np.array([cell["t2"] for cell in cells]),
        cross=np.array([cell["c"] for cell in cells]),
        shift=shift,
    )


def random_rows(
    seed: int,
    students: int = 150,
    periods: tuple[int, ...] = tuple(range(1, 9)),
    cohorts: tuple[float, ...] = (3, 5, 6, NEVER),
    gaps: float = 0.0,
    districts: int = 1,
    strata: int = 1,
    weighted: bool = False,
) -> pd.DataFrame:
    """Return a random panel with effects that differ by cohort and grow; `gaps` is the chance that a row is missing."""
    rng = np.random.default_rng(seed)
    unit = np.arange(students)
    # the first of each cohort, stratum and district are dealt out, so that none is empty
    traits = pd.DataFrame(
        {
            "unit": unit,
            "cohort": np.array(cohorts, dtype=float)[unit % len(cohorts)],
            "stratum": [f"s{k}" for k in rng.integers(0, strata, students)],
            "district": [f"d{k}" for k in rng.integers(0, districts, students)],
            "weight": rng.uniform(0.5, 2, students) if weighted else 1.0,
            "level": rng.normal(0, 3, students),
        }
    )
    rows = traits.merge(pd.DataFrame({"period": periods}), how="cross")
    since = rows["period"] - rows["cohort"]
    effect = np.where(since >= 0, 1.0 + 0.3 * since.where(since >= 0, 0) + 0.2 * (rows["cohort"] == cohorts[0]), 0.0)
    trend = rows["stratum"].str[1:].astype(float) * 0.4 * rows["period"]
    noise = rng.normal(0, 1, len(rows))
    noise += 0.6 * np.concatenate([[0], noise[:-1]])  # errors of neighboring months hang together
    rows["y"] = 80 + rows["level"] + np.sin(rows["period"]) + trend + effect + noise
    return rows[rng.uniform(size=len(rows)) >= gaps].drop(columns="level").reset_index(drop=True)
