"""From the study's tables to one complete sample of treated and comparison districts.

`sample.Spec` says what is asked, `panel.Panel` holds one outcome as a matrix of districts by years, and `sample.Sample`
is what every estimator of the public track takes.
"""

from collections.abc import Sequence

import numpy as np

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.data import StudyData
from leapstudy.did.comparison import comparison_codes, comparison_label, refuse_overlap, treated_codes
from leapstudy.did.contrasts import Contrast, common_start, contrasts_of, require_years
from leapstudy.did.panel import Panel, build_panel
from leapstudy.did.sample import Sample, Spec

__all__ = [
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


def build_sample(data: StudyData, spec: Spec, treated: Sequence[str], years: Sequence[str] | None = None) -> Sample:
    """Return the complete sample that a spec asks for.

    Parameters
    ----------
    data
        The study's tables.
    spec
        What is asked. A group whose rule has `both_sides` restricts the treated side too.
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
    panel = build_panel(data, spec.outcome, spec.edition)
    if years is None:
        _refuse_only_before(panel, spec, common_start(data.starts, treated))
    return sample_from_panel(panel, data, spec, treated, years)


def _refuse_only_before(panel: Panel, spec: Spec, start: str) -> None:
    if panel.years[-1] < start:
        others = [name for name in panel.state.outcomes if name != spec.outcome]
        raise BadInput(
            f"The contrast {spec.contrast!r} cannot be formed for {spec.outcome!r}: the figures end with "
            f"{panel.years[-1]}, before {panel.state.program.short} began ({start}). They serve as {len(panel.years)} "
            f"years "
            f"of pre-trend in the event study; for an effect use the outcome {' or '.join(map(repr, others))}."
        )


def sample_from_panel(
    panel: Panel, data: StudyData, spec: Spec, treated: Sequence[str], years: Sequence[str] | None = None
) -> Sample:
    """Return the complete sample from a panel made once; see `build_sample`."""
    kept = treated_codes(data, spec.comparison, treated)
    group = comparison_codes(data, spec.comparison)
    refuse_overlap(kept, group)
    return sample_of_codes(panel, spec, kept, group, years)


def sample_of_codes(
    panel: Panel, spec: Spec, kept: tuple[str, ...], group: tuple[str, ...], years: Sequence[str] | None = None
) -> Sample:
    """Return the complete sample of two sides that were looked up once; see `build_sample`.

    `kept` and `group` are what `treated_codes` and `comparison_codes` give for the spec's comparison.
    """
    if spec.contrast not in panel.state.contrasts:
        raise bad_value("contrast", spec.contrast, panel.state.contrasts, "params/state.yml declares them.")
    start = common_start(panel.starts, kept)
    contrast = contrasts_of(panel.state, start)[spec.contrast]
    asked = tuple(years or contrast.years)
    require_years(asked, panel.years, f"The edition {panel.edition!r} of {panel.outcome!r}")
    rates, students = _complete(panel, kept, asked, spec)
    missing = [code for code, row in zip(kept, rates, strict=True) if np.isnan(row).any()]
    if missing:
        raise BadInput(
            f"District {', '.join(missing)} has no {spec.outcome!r} in one of {', '.join(asked)} "
            f"(edition {panel.edition!r}). Choose another contrast, edition or outcome."
        )
    rates_c, students_c = _complete(panel, group, asked, spec)
    there = ~np.isnan(rates_c).any(axis=1)
    if not there.any():
        raise BadInput(
            f"No district of the comparison group {comparison_label(spec.comparison)!r} has figures in all of "
            f"{', '.join(asked)}. Choose another group, contrast or edition."
        )
    if there.sum() == 1:
        raise BadInput(
            f"Only {group[int(there.argmax())]} of the comparison group {comparison_label(spec.comparison)!r} has "
            f"figures in all of "
            f"{asked[0]} to {asked[-1]}: one district cannot show how far districts vary. Add districts to the group."
        )
    inside = tuple(code for code, keep in zip(group, there, strict=True) if keep)
    left_out = tuple(code for code, keep in zip(group, there, strict=True) if not keep)
    y_treated, y_comparison = _on_scale(rates, kept, spec), _on_scale(rates_c[there], inside, spec)
    return Sample(
        spec, contrast, kept, inside, asked, y_treated, y_comparison, students, students_c[there], start, left_out
    )


def _complete(panel: Panel, codes: Sequence[str], years: Sequence[str], spec: Spec) -> tuple[np.ndarray, np.ndarray]:
    """Return rates and enrollment of `codes` in `years`; a row that lacks a figure it needs is NaN in its rates."""
    rows = np.array([panel.codes.index(code) if code in panel.codes else -1 for code in codes])
    columns = np.array([panel.years.index(year) for year in years])
    rates = np.where(rows[:, None] < 0, np.nan, panel.rates[np.ix_(rows, columns)])
    students = np.where(rows[:, None] < 0, np.nan, panel.students[np.ix_(rows, columns)])
    if spec.weights == "students":
        rates = np.where(np.isnan(students).any(axis=1, keepdims=True), np.nan, rates)
    return rates, students


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
