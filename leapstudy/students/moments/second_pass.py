"""The second pass: a student who compares in several risk sets has one influence, summed inside the engine.

Moments by risk set cannot tell that the same student stands in two of them. So each student's influence is added up over
the risk sets where the rows are, and only sums of products leave.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product

import ibis
import numpy as np
import pyarrow as pa
from ibis.expr.types import FloatingValue, Table

from leapstudy.core.errors import BadInput
from leapstudy.students.engine import lent, sealed
from leapstudy.students.handle import StudentData
from leapstudy.students.moments.expression import panel_by, student_weight
from leapstudy.students.moments.gather import JOIN
from leapstudy.students.moments.influence import Influence
from leapstudy.students.moments.pivot import MASK_BITS, Students, masks, students_of
from leapstudy.students.moments.record import Moments
from leapstudy.students.moments.risk_sets import RiskDesign, band_names, risk_columns
from leapstudy.students.moments.traits import district_places, trait


@dataclass(frozen=True, slots=True)
class InfluenceSums:
    """What the second pass returns for K estimates.

    Attributes
    ----------
    product : ndarray, shape (K, K)
        Sum over students of the products of their influences: the covariance with students as clusters.
    district : ndarray of str, shape (D,)
    by_district : ndarray, shape (D, K)
        Summed influence by district; their sum of squares is the covariance with districts as clusters.
    """

    product: np.ndarray
    district: np.ndarray
    by_district: np.ndarray


def second_pass(
    data: StudentData, sets: Mapping[int, Moments], influence: Mapping[int, Influence], design: RiskDesign
) -> InfluenceSums:
    """Sum each student's influence over the risk sets, inside the engine, and return sums of products only.

    Parameters
    ----------
    data
        The students that `sets` were made from.
    sets
        From `leapstudy.students.moments.risk_sets.risk_set_moments`, by month.
    influence
        For each month of `sets` that takes part, the influence of its cells on the same K estimates.
    design
        The one that made `sets`.

    Raises
    ------
    BadInput
        If influence and sets do not belong together, or the sets were made from other data or another design.
    """
    estimates = _common_count(sets, influence)
    with ExitStack() as stack:
        students = stack.enter_context(students_of(panel_by(data, design.event)))
        con = students.table.get_backend()
        zero = {f"s{k}": ibis.literal(0.0) for k in range(estimates)}
        made = {name: trait(students.table.traits, name) for name in ("district", "cohort")}
        weight = student_weight(students.table, len(students.periods), design.weights)
        rows = students.table.mutate(
            w=weight, matched=ibis.literal(0), **zero, **made, **masks(students.table, len(students.periods))
        )
        for month, one in influence.items():
            table = stack.enter_context(lent(con, _coefficients(sets[month], one, design, students.districts)))
            rows = _added(Students(rows, students.periods, students.districts), month, table, one, design)
        sums = sealed("summing influences", _sums(rows, estimates).to_pyarrow)
    expected = sum(int(sets[month].students.sum()) for month in influence)
    if sum(sums["matched"].to_pylist()) != expected:
        raise BadInput("These risk sets were made from other students or another design. Compute them again.")
    return _record(sums.sort_by("district"), estimates, students.districts)


def _common_count(sets: Mapping[int, Moments], influence: Mapping[int, Influence]) -> int:
    counts = {len(one.intercept) for one in influence.values()}
    fits = all(month in sets and one.slope.shape[1:] == sets[month].seen.shape for month, one in influence.items())
    if len(counts) != 1 or not fits:
        raise BadInput(
            "Give the influence of the same estimates for each month, cell by cell of that month's risk set; "
            f"got months {sorted(influence)} for risk sets {sorted(sets)}, numbers of estimates {sorted(counts)}."
        )
    return counts.pop()


def _used(one: Influence) -> list[tuple[int, int]]:
    """Return the (estimate, month) pairs in which any cell has a slope; the others need no column."""
    return [(int(k), int(t)) for k, t in np.argwhere((one.slope != 0).any(axis=1))]


def _coefficients(moments: Moments, one: Influence, design: RiskDesign, districts: Sequence[str]) -> pa.Table:
    """Return the influence as a table with the engine's own numbers for the cells' keys."""
    names = band_names(design)
    numbers = {JOIN.join(words): place for words, place in zip(
        product(*names.values()), product(*(range(len(values)) for values in names.values())), strict=True)}  # fmt: skip
    places = np.array([numbers[stratum] for stratum in moments.stratum])
    number_of = {code: number for number, code in district_places(districts).items()}
    cells = {
        "district": np.array([number_of[code] for code in moments.district], dtype=np.int64),
        "cohort": np.where(np.isinf(moments.cohort), 0, moments.cohort).astype(np.int64),
        **{name: places[:, column] for column, name in enumerate(names)},
        **_mask_numbers(moments.seen),
    }
    intercepts = {f"i{k}": row for k, row in enumerate(one.intercept)}
    slopes = {f"b{k}_{t}": one.slope[k, :, t] for k, t in _used(one)}
    keys = {f"cell_{name}": values for name, values in cells.items()}
    return pa.table({**keys, **intercepts, **slopes})


def _mask_numbers(seen: np.ndarray) -> dict[str, np.ndarray]:
    bits = np.array([1 << t % MASK_BITS for t in range(seen.shape[1])], dtype=np.int64)
    starts = range(0, seen.shape[1], MASK_BITS)
    return {
        f"mask{number}": seen[:, at : at + MASK_BITS] @ bits[at : at + MASK_BITS] for number, at in enumerate(starts)
    }


def _added(students: Students, month: int, table: Table, one: Influence, design: RiskDesign) -> Table:
    """Return the students with their influence in one risk set added to `s0`, `s1`, ..."""
    rows, columns = students.table, students.table.columns
    waiting, strata = risk_columns(students, month, design)
    place = rows.mutate(risk_cohort=ibis.ifelse(waiting, rows.cohort, -1), **strata)
    keys = [name for name in columns if name in ("district",) or name.startswith("mask")] + list(strata)
    same = [place[name] == table[f"cell_{name}"] for name in keys]
    both = place.left_join(table, [*same, place.risk_cohort == table.cell_cohort])
    scores = {f"s{k}": both[f"s{k}"] + both.w * _score(both, k, one) for k in range(len(one.intercept))}
    found = both.cell_cohort.notnull().cast("int64")
    kept = [name for name in columns if name not in scores and name != "matched"]
    return both.select(*kept, matched=both.matched + found, **scores)


def _score(both: Table, k: int, one: Influence) -> FloatingValue:
    """Return ``intercept + slope @ y`` of estimate k, zero for a student outside the risk set."""
    total: FloatingValue = both[f"i{k}"].fill_null(0.0)
    for other, t in _used(one):
        if other == k:
            total = total + (both[f"b{k}_{t}"] * both[f"y{t}"]).fill_null(0.0)
    return total


def _sums(rows: Table, estimates: int) -> Table:
    scores = [rows[f"s{k}"] for k in range(estimates)]
    sums = {f"t{k}": score.sum() for k, score in enumerate(scores)}
    products = {f"c{k}_{m}": (scores[k] * scores[m]).sum() for k in range(estimates) for m in range(k, estimates)}
    return rows.group_by("district").agg(matched=rows.matched.sum(), **sums, **products)


def _record(sums: pa.Table, estimates: int, districts: Sequence[str]) -> InfluenceSums:
    matrix = np.empty((estimates, estimates))
    for k in range(estimates):
        for m in range(k, estimates):
            matrix[k, m] = matrix[m, k] = np.sum(sums[f"c{k}_{m}"].to_numpy())
    places = district_places(districts)
    district = np.array([places[number] for number in sums["district"].to_pylist()])
    return InfluenceSums(matrix, district, np.stack([sums[f"t{k}"].to_numpy() for k in range(estimates)], axis=1))
