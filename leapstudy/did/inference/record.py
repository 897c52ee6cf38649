"""What each test of one treated district says, as frozen records."""

from dataclasses import dataclass
from typing import Literal

from leapstudy.did.design import Sample
from leapstudy.did.effect import points_per_unit, to_points

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
"""Every test of one treated district; these are the `p_method`s of `estimates.csv`."""

LABELS: dict[MethodName, str] = {
    "permutation": "Permutation of the estimate",
    "studentized_noise": "Studentized by noise before",
    "studentized_enrollment": "Studentized by enrollment",
    "conley_taber": "Conley and Taber",
    "ferman_pinto": "Ferman and Pinto",
    "small_sample_t": "Small-sample t",
    "sdid_placebo": "Synthetic DiD",
    "synthetic_control": "Synthetic control",
    "cluster_robust": "Cluster-robust",
}
"""Each method as a figure and a table name it."""


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
