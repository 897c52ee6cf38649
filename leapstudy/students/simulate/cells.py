"""From a simulated block straight to moments, without files and engine: for Monte Carlo."""

import numpy as np

from leapstudy.students.moments.record import NEVER, Moments
from leapstudy.students.simulate.blocks import Block

SHIFT = 93.0
"""Points; near the mean of attendance."""


def month_numbers(months: np.ndarray) -> np.ndarray:
    """Return ``datetime64[M]`` months as ``12 * year + month - 1``; NaT (never) becomes `NEVER`."""
    whole = months.astype("datetime64[M]")
    return np.where(np.isnat(whole), NEVER, whole.astype(int) + 12 * 1970)


def attendance(block: Block) -> np.ndarray:
    """Return attendance in points, shape (students, months); NaN after a student has left."""
    return np.where(block.present, 100 * (1 - block.absent / block.days), np.nan)


def moments_of_arrays(
    outcome: np.ndarray, months: np.ndarray, cohort: np.ndarray, district: np.ndarray, stratum: np.ndarray
) -> Moments:
    """Return the moments of students in arrays, each student counting once.

    Parameters
    ----------
    outcome
        Attendance in points, NaN where not seen; shape (students, T).
    months
        Month numbers in order, shape (T,).
    cohort
        Month number of the first visit or `NEVER`, shape (students,).
    district, stratum
        Text, shape (students,).
    """
    seen = ~np.isnan(outcome)
    shifted = np.where(seen, outcome - SHIFT, 0.0)
    number = _numbers(cohort, district, stratum, np.packbits(seen, axis=1))
    cells = number.max() + 1
    first = np.unique(number, return_index=True)[1]
    students = np.bincount(number, minlength=cells)
    total, cross = np.zeros((cells, len(months))), np.zeros((cells, len(months), len(months)))
    order = np.argsort(number, kind="stable")
    for cell, rows in enumerate(np.split(order, np.cumsum(students)[:-1])):
        total[cell], cross[cell] = shifted[rows].sum(axis=0), shifted[rows].T @ shifted[rows]
    return Moments(
        periods=months,
        district=district[first],
        cohort=cohort[first],
        stratum=stratum[first],
        seen=seen[first],
        students=students,
        weight=students.astype(float),
        weight_sq=students.astype(float),
        total=total,
        total_sq=total,
        cross=cross,
        shift=SHIFT,
    )


def _numbers(*columns: np.ndarray) -> np.ndarray:
    """Number the distinct combinations of columns, shape (students,)."""
    codes = [np.unique(column, axis=0, return_inverse=True)[1].ravel() for column in columns]
    return np.unique(np.stack(codes, axis=1), axis=0, return_inverse=True)[1].ravel()
