"""What leaves the engine: sums over students by cell, never a row. Every estimator of the student track takes this."""

from dataclasses import dataclass, fields, replace

import numpy as np

from leapstudy.core.errors import BadInput

NEVER = np.inf
"""Cohort of students who were never visited: later than every month."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums over students by cell, C cells and T periods.

    A cell is district x cohort x stratum x pattern of periods in which a student is seen, so that inside a cell the
    panel is balanced and nothing is dropped. Between-cluster compression of Wong, Forsell, Lewis, Mao and Wardrop
    (2021, "You Only Compress Once", arXiv 2102.11297). The outcome y is attendance in points (0 to 100) less `shift`.

    Attributes
    ----------
    periods : ndarray of int, shape (T,)
        Periods in order. Months are numbered ``12 * year + month - 1``; only those with any membership are there.
    district, stratum : ndarray of str, shape (C,)
        District code, and stratum ('' where there are none).
    cohort : ndarray of float, shape (C,)
        Period of the first visit on the scale of `periods` (it need not be one of them: summer); `NEVER` = never.
    seen : ndarray of bool, shape (C, T)
        The cell's pattern.
    students : ndarray of int, shape (C,)
        Number of students.
    weight, weight_sq : ndarray, shape (C,)
        Sum of weights w and of w squared; both equal `students` where each student counts once.
    total, total_sq : ndarray, shape (C, T)
        Sum of w y and of w squared y; zero where the cell is not seen.
    cross : ndarray, shape (C, T, T)
        Sum of w squared y_s y_t; zero where not seen. Symmetric.
    shift : float
        Constant that was subtracted from every outcome before summing, against cancellation.
    """

    periods: np.ndarray
    district: np.ndarray
    cohort: np.ndarray
    stratum: np.ndarray
    seen: np.ndarray
    students: np.ndarray
    weight: np.ndarray
    weight_sq: np.ndarray
    total: np.ndarray
    total_sq: np.ndarray
    cross: np.ndarray
    shift: float = 0.0

    def __post_init__(self) -> None:
        """Refuse sums that do not fit together."""
        cells, periods = self.seen.shape
        per_cell = {name: getattr(self, name).shape for name in CELL_FIELDS}
        wrong = [name for name, shape in per_cell.items() if shape[0] != cells]
        if wrong or self.periods.shape != (periods,) or self.cross.shape != (cells, periods, periods):
            raise BadInput(f"These moments do not fit together: {per_cell}. Compute them again.")

    @property
    def cells(self) -> int:
        """Number of cells C."""
        return len(self.students)

    def where(self, chosen: np.ndarray) -> "Moments":
        """Return the cells that a boolean or integer index chooses."""
        return replace(self, **{name: getattr(self, name)[chosen] for name in CELL_FIELDS})


CELL_FIELDS = tuple(field.name for field in fields(Moments) if field.name not in ("periods", "shift"))
