"""What each test of one treated district says, and how far a district's change varies by itself.

The latter is known from its own years before, or from the number of its students.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.did.design import Sample
from leapstudy.did.effect import points_per_unit, to_points
from leapstudy.did.spread import LEAST_NOISE

# Every test of one treated district; these are the `p_method`s of `estimates.csv`.
MethodName = Literal[
    "permutation",
    "studentized_noise",
    "studentized_enrollment",
    "conley_taber",
    "ferman_pinto",
    "small_sample_t",
    "sdid_placebo",
    "synthetic_control",
    "cluster_robust",
]

# Each method as a figure and a table name it.
LABELS: dict[MethodName, str] = {
    "permutation": "Permutation of the estimate",
    "studentized_noise": "Permutation scaled by earlier variation",
    "studentized_enrollment": "Permutation scaled by enrollment",
    "conley_taber": "Conley and Taber",
    "ferman_pinto": "Ferman and Pinto",
    "small_sample_t": "Small-sample t",
    "sdid_placebo": "Synthetic DiD",
    "synthetic_control": "Synthetic control",
    "cluster_robust": "Cluster-robust",
}


@dataclass(frozen=True, slots=True)
class Method:
    """One method's answer in percentage points.

    Attributes
    ----------
    name : MethodName
        Which one; `LABELS` has it in words.
    estimate_pp, se_pp : float or None
        The effect and its standard error; no method that only ranks placements has the latter.
    low_pp, high_pp : float or None
        95% interval; infinite where the test can never reject at 5%.
    p_value, p_floor : float or None
        Two-sided p-value, and the smallest that the design allows (None for a t-test, which has no floor).
    note : str
        What the method rests on here, in one sentence.
    refusal : str
        Why it gives no answer; empty where it gives one. The numbers of a refused method are all None.
    """

    name: MethodName
    estimate_pp: float | None = None
    se_pp: float | None = None
    low_pp: float | None = None
    high_pp: float | None = None
    p_value: float | None = None
    p_floor: float | None = None
    note: str = ""
    refusal: str = ""

    @property
    def label(self) -> str:
        """The method in words."""
        return LABELS[self.name]


def answer_of(
    name: MethodName,
    sample: Sample,
    ends: tuple[float, float, float],
    p_value: float,
    p_floor: float | None,
    note: str,
    se: float | None = None,
) -> Method:
    """Return a method's answer from estimate, low and high end (`ends`) and error on the sample's scale."""
    effect, low, high = (to_points(value, sample) for value in ends)
    return Method(name, effect, None if se is None else points_per_unit(sample) * se, low, high, p_value, p_floor, note)


@dataclass(frozen=True, slots=True)
class Inference:
    """Every method's answer for one treated district and one contrast.

    `code` is the treated district, `n_comparison` and `n_pre` are comparison districts and years before; `methods`
    stand in the order of `MethodName`, refused ones included, the synthetic ones only where they were asked for.
    """

    code: str
    n_comparison: int
    n_pre: int
    methods: tuple[Method, ...]

    def method(self, name: MethodName) -> Method:
        """Return one method's answer; `KeyError` where it was not asked for."""
        return {method.name: method for method in self.methods}[name]


@dataclass(frozen=True, slots=True)
class SizeVariance:
    """Variance of a district's change as a function of its students n: ``common + by_student / n``, on the sample's
    scale.
    """

    common: float
    by_student: float

    def at(self, students: np.ndarray) -> np.ndarray:
        """Return the variance at each number of students."""
        return self.common + self.by_student / students


def size_variance(deviations: np.ndarray, students: np.ndarray) -> SizeVariance:
    """Fit the variance of a change to enrollment among the comparison districts.

    Parameters
    ----------
    deviations : ndarray, shape (C,)
        Each comparison district's change less their mean.
    students : ndarray, shape (C,)
        Enrollment before the program.

    Raises
    ------
    BadInput
        If no comparison district varies from the mean, or one has no enrollment.

    Notes
    -----
    ``E[dev^2] = s0^2 + s1^2 / n`` by least squares, with neither part below zero (Ferman and Pinto 2019, section 3:
    students are sampled, so that a mean over n of them has variance s1^2 / n beside the district's own shock s0^2).
    """
    if not (np.isfinite(students) & (students > 0)).all():
        raise BadInput("A comparison unit has no enrollment, so that its variance cannot be told from its size.")
    # imported here because it is slow to import and only this asks for it
    from scipy.optimize import nnls

    # the mean enrollment as unit keeps both columns near one
    unit = float(np.mean(students))
    common, by_student = nnls(np.column_stack([np.ones(len(students)), unit / students]), deviations**2)[0]
    if common + by_student <= 0:
        raise BadInput("No comparison unit varies from the others, so that no noise can be measured.")
    return SizeVariance(float(common), float(by_student) * unit)


def enrollment_before(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Return mean enrollment over the contrast's years before, of the treated and of the comparison districts."""
    before = sample.columns(sample.contrast.pre)
    return sample.students_treated[:, before].mean(axis=1), sample.students_comparison[:, before].mean(axis=1)


def enrollment_noise(sample: Sample) -> tuple[np.ndarray, SizeVariance]:
    """Return the standard deviation of every district's change that its enrollment implies, the treated one first.

    Shape (C + 1,), on the sample's scale, with the fitted variance; see `size_variance` for the errors raised.
    """
    changes = sample.change_comparison
    treated, comparison = enrollment_before(sample)
    fitted = size_variance(changes - sample.weights_comparison @ changes, comparison)
    return np.sqrt(fitted.at(np.concatenate([treated, comparison]))), fitted


def size_noise(sample: Sample) -> np.ndarray:
    """Return the noise of `enrollment_noise` alone."""
    return enrollment_noise(sample)[0]


def noise_before(sample: Sample) -> np.ndarray:
    """Return how much each district varied over the years before, the treated ones first.

    The root mean square, with T - 1 degrees of freedom, of what is left of the T years before when the district's own
    mean and each year's mean over all C + 1 districts are taken out; shape (C + 1,), on the sample's scale. All
    districts are treated alike, so that the studentized test keeps its size under exchangeable errors of any scale.

    Raises
    ------
    BadInput
        With one year before, or where the treated district did not vary at all.
    """
    before = sample.columns(sample.contrast.pre)
    if len(before) < 2:
        raise BadInput("A unit's own noise cannot be measured in one year before; it takes two or more.")
    y = np.concatenate([sample.y_treated, sample.y_comparison])[:, before]
    sizes = np.concatenate([sample.sizes_treated, sample.sizes_comparison])
    noise = spread_before(y, sizes / sizes.sum())
    if noise[: len(sample.treated)].min() < LEAST_NOISE:
        raise BadInput("The treated unit did not vary at all over the years before; nothing can be divided by that.")
    return np.maximum(noise, LEAST_NOISE)


def spread_before(y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the noise of `noise_before` from a panel of years before, shape (..., districts, years)."""
    residual = y - y.mean(axis=-1, keepdims=True)
    residual = residual - np.einsum("i,...it->...t", weights, residual)[..., None, :]
    return np.sqrt((residual**2).sum(axis=-1) / (y.shape[-1] - 1))
