"""From the study's tables to one complete sample of treated and comparison districts.

`Spec` says what is asked, `panel.Panel` holds one outcome as a matrix of districts by years, and `Sample` is what every
estimator of the public track takes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.names import (
    Comparison,
    ComparisonName,
    ContrastName,
    Edition,
    Outcome,
    Scale,
    Weights,
    check_option,
)
from leapstudy.data import StudyData
from leapstudy.did.comparison import comparison_codes, comparison_label, refuse_overlap, treated_codes
from leapstudy.did.contrasts import CONTRASTS, PROGRAMME_START, Contrast, require_years
from leapstudy.did.panel import GROUPS, Panel, build_panel

__all__ = [
    "CONTRASTS",
    "GROUPS",
    "Contrast",
    "Panel",
    "Sample",
    "Spec",
    "build_panel",
    "build_sample",
    "comparison_codes",
    "sample_from_panel",
    "sample_of_codes",
]


@dataclass(frozen=True, slots=True)
class Spec:
    """What is asked of the data; every name is one of `leapstudy.core.names`.

    `comparison` may also be a tuple of district codes. `weights="pupils"` weights districts by their enrolment before
    the programme, see `Sample.weights_treated`.
    """

    comparison: Comparison = "alliance"
    contrast: ContrastName = "pre_mean_to_2021_22"
    edition: Edition = "2022-23"
    outcome: Outcome = "attendance_rate"
    weights: Weights = "equal"
    scale: Scale = "points"
    seed: int = 20261124

    def __post_init__(self) -> None:
        """Refuse names that are not legal."""
        if isinstance(self.comparison, str):
            check_option("comparison group", self.comparison, ComparisonName)
        check_option("contrast", self.contrast, ContrastName)
        check_option("edition", self.edition, Edition)
        check_option("outcome", self.outcome, Outcome)
        check_option("weights", self.weights, Weights)
        check_option("scale", self.scale, Scale)


@dataclass(frozen=True, slots=True)
class Sample:
    """A complete sample: no missing figure on either side.

    Attributes
    ----------
    treated, comparison : tuple of str
        District codes; the rows of the matrices.
    years : tuple of str
        School years; the columns. By default exactly the contrast's.
    y_treated, y_comparison : ndarray, shape (districts, years)
        The outcome on the spec's scale: percent (0 to 100) or log-odds.
    pupils_treated, pupils_comparison : ndarray, shape (districts, years)
        Enrolment in the pupil group of the outcome.
    left_out : tuple of str
        Districts of the comparison group without a figure in one of the years.
    """

    spec: Spec
    contrast: Contrast
    treated: tuple[str, ...]
    comparison: tuple[str, ...]
    years: tuple[str, ...]
    y_treated: np.ndarray
    y_comparison: np.ndarray
    pupils_treated: np.ndarray
    pupils_comparison: np.ndarray
    left_out: tuple[str, ...] = ()

    @property
    def change_treated(self) -> np.ndarray:
        """Mean of the post years minus mean of the pre years, shape (treated,), on the spec's scale."""
        return self._change(self.y_treated)

    @property
    def change_comparison(self) -> np.ndarray:
        """Mean of the post years minus mean of the pre years, shape (comparison,), on the spec's scale."""
        return self._change(self.y_comparison)

    @property
    def weights_treated(self) -> np.ndarray:
        """Weights that sum to one, shape (treated,): equal, or by enrolment before the programme.

        A district's pupil weight is its mean enrolment over the sample's years before 2021-22. It is fixed before the
        programme, so that the programme cannot move it, and constant over years, so that the weighted regression and
        the weighted difference of means are the same number.
        """
        return self._weights(self.pupils_treated)

    @property
    def weights_comparison(self) -> np.ndarray:
        """Weights that sum to one, shape (comparison,); see `weights_treated`."""
        return self._weights(self.pupils_comparison)

    @property
    def sizes_treated(self) -> np.ndarray:
        """What a treated district counts for beside a comparison district: 1, or its enrolment, shape (treated,)."""
        return self._sizes(self.pupils_treated)

    @property
    def sizes_comparison(self) -> np.ndarray:
        """What a comparison district counts for, shape (comparison,); see `sizes_treated`."""
        return self._sizes(self.pupils_comparison)

    @property
    def base_rate(self) -> float:
        """The treated districts' mean rate in the pre years, percent."""
        rates = self.y_treated if self.spec.scale == "points" else 100 / (1 + np.exp(-self.y_treated))
        return float(self.weights_treated @ rates[:, self.columns(self.contrast.pre)].mean(axis=1))

    def columns(self, years: Sequence[str]) -> list[int]:
        """Return the column numbers of `years`.

        Raises
        ------
        BadInput
            If the sample lacks one of them.
        """
        require_years(years, self.years, f"This sample ({self.spec.outcome})")
        return [self.years.index(year) for year in years]

    def _change(self, y: np.ndarray) -> np.ndarray:
        post, pre = self.columns(self.contrast.post), self.columns(self.contrast.pre)
        return y[:, post].mean(axis=1) - y[:, pre].mean(axis=1)

    def _sizes(self, pupils: np.ndarray) -> np.ndarray:
        if self.spec.weights == "equal":
            return np.ones(len(pupils))
        before = [column for column, year in enumerate(self.years) if year < PROGRAMME_START]
        return pupils[:, before].mean(axis=1)

    def _weights(self, pupils: np.ndarray) -> np.ndarray:
        sizes = self._sizes(pupils)
        return sizes / sizes.sum()


def build_sample(data: StudyData, spec: Spec, treated: Sequence[str], years: Sequence[str] | None = None) -> Sample:
    """Return the complete sample that a spec asks for.

    Parameters
    ----------
    data
        The study's tables.
    spec
        What is asked. `comparison="drg_gh"` restricts the treated side too.
    treated
        Codes of the treated districts.
    years
        Years that every district must have; by default the contrast's own. An event study asks for all of them.

    Raises
    ------
    BadInput
        If an edition or outcome has no such years, a code is unknown, a treated district has no figure or no peer,
        the comparison group is empty or a district is on both sides.
    """
    _refuse_chronic(spec, years)
    panel = build_panel(data, spec.outcome, spec.edition)
    return sample_from_panel(panel, data.districts, spec, treated, years)


def _refuse_chronic(spec: Spec, years: Sequence[str] | None) -> None:
    if spec.outcome == "chronic_absence" and years is None:
        raise BadInput(
            f"The contrast {spec.contrast!r} cannot be formed for 'chronic_absence': the districts' figures end with "
            "2019-20, before LEAP began (2021-22). They serve as nine years of pre-trend in the event study; "
            "use the outcome 'attendance_rate' or 'attendance_rate_high_needs' for an effect."
        )


def sample_from_panel(
    panel: Panel, districts: pd.DataFrame, spec: Spec, treated: Sequence[str], years: Sequence[str] | None = None
) -> Sample:
    """Return the complete sample from a panel made once; see `build_sample`."""
    kept = treated_codes(districts, spec.comparison, treated)
    group = comparison_codes(districts, spec.comparison)
    refuse_overlap(kept, group)
    return sample_of_codes(panel, spec, kept, group, years)


def sample_of_codes(
    panel: Panel, spec: Spec, kept: tuple[str, ...], group: tuple[str, ...], years: Sequence[str] | None = None
) -> Sample:
    """Return the complete sample of two sides that were looked up once; see `build_sample`.

    `kept` and `group` are what `treated_codes` and `comparison_codes` give for the spec's comparison.
    """
    contrast = CONTRASTS[spec.contrast]
    asked = tuple(years or contrast.years)
    require_years(asked, panel.years, f"The edition {panel.edition!r} of {panel.outcome!r}")
    rates, pupils = _complete(panel, kept, asked, spec)
    missing = [code for code, row in zip(kept, rates, strict=True) if np.isnan(row).any()]
    if missing:
        raise BadInput(
            f"District {', '.join(missing)} has no {spec.outcome!r} in one of {', '.join(asked)} "
            f"(edition {panel.edition!r}). Choose another contrast, edition or outcome."
        )
    rates_c, pupils_c = _complete(panel, group, asked, spec)
    there = ~np.isnan(rates_c).any(axis=1)
    if not there.any():
        raise BadInput(
            f"No district of the comparison group {comparison_label(spec.comparison)!r} has figures in all of "
            f"{', '.join(asked)}. Choose another group, contrast or edition."
        )
    if there.sum() == 1:
        raise BadInput(
            f"Only {group[int(there.argmax())]} of the comparison group {comparison_label(spec.comparison)!r} has figures in all of "
            f"{asked[0]} to {asked[-1]}: one district cannot show how far districts stray. Add districts to the group."
        )
    inside = tuple(code for code, keep in zip(group, there, strict=True) if keep)
    left_out = tuple(code for code, keep in zip(group, there, strict=True) if not keep)
    y_treated, y_comparison = _on_scale(rates, kept, spec), _on_scale(rates_c[there], inside, spec)
    return Sample(spec, contrast, kept, inside, asked, y_treated, y_comparison, pupils, pupils_c[there], left_out)


def _complete(panel: Panel, codes: Sequence[str], years: Sequence[str], spec: Spec) -> tuple[np.ndarray, np.ndarray]:
    """Return rates and enrolment of `codes` in `years`; a row that lacks a figure it needs is NaN in its rates."""
    rows = np.array([panel.codes.index(code) if code in panel.codes else -1 for code in codes])
    columns = np.array([panel.years.index(year) for year in years])
    rates = np.where(rows[:, None] < 0, np.nan, panel.rates[np.ix_(rows, columns)])
    pupils = np.where(rows[:, None] < 0, np.nan, panel.pupils[np.ix_(rows, columns)])
    if spec.weights == "pupils":
        rates = np.where(np.isnan(pupils).any(axis=1, keepdims=True), np.nan, rates)
    return rates, pupils


def _on_scale(rates: np.ndarray, codes: Sequence[str], spec: Spec) -> np.ndarray:
    if spec.scale == "points":
        return rates
    edge = [code for code, row in zip(codes, rates, strict=True) if (row <= 0).any() or (row >= 100).any()]
    if edge:
        raise BadInput(
            f"Log-odds do not exist for a rate of 0 or 100 percent, which {', '.join(edge)} has. "
            "Use the scale 'points' or another comparison group."
        )
    share = rates / 100
    return np.log(share / (1 - share))
