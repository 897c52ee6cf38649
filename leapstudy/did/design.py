"""From the study's tables to one complete sample of treated and comparison districts.

`sample.Spec` says what is asked, `panel.Panel` holds one outcome as a matrix of districts by years, and `sample.Sample`
is what every estimator of the public track takes.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from leapstudy.core.cache import of_last
from leapstudy.core.errors import BadInput, attempt, bad_value
from leapstudy.core.phrases import agree, capital
from leapstudy.data import StudyData
from leapstudy.data.state import CHRONIC, State
from leapstudy.data.state import FILE as STATE_FILE
from leapstudy.did.comparison import comparison_codes, comparison_label, refuse_overlap, treated_codes
from leapstudy.did.contrasts import Clock, Contrast, clock_of, require_years
from leapstudy.did.nested import nest
from leapstudy.did.sample import Panel, Sample, Sides, Spec, build_panel, in_own_years

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
        _refuse_only_before(data, panel, spec, clock_of(data.state, data.starts, treated).starts[0])
    return sample_from_panel(panel, data, spec, treated, years)


def outcomes_over_years(data: StudyData, spec: Spec) -> tuple[str, ...]:
    """Return the outcomes whose event study an answer shows: its own, and chronic absence where that is published."""
    published = CHRONIC in data.state.outcomes and not data.chronic.empty
    return (spec.outcome, CHRONIC) if published else (spec.outcome,)


def sample_of_every_year(data: StudyData, spec: Spec, treated: Sequence[str]) -> Sample:
    """Return the complete sample over all years of the spec's outcome of which a treated unit has a figure."""
    panel = build_panel(data, spec.outcome, spec.edition)
    return sample_from_panel(panel, data, spec, treated, panel.years_of(treated))


def _refuse_only_before(data: StudyData, panel: Panel, spec: Spec, start: str) -> None:
    if panel.years[-1] < start:
        others = [name for name in data.state.outcomes if name != spec.outcome]
        further = [repr(name) for name in others if _reaches(data, name, spec, start)]
        instead = f"use the outcome {' or '.join(further)}" if further else "add a later year's figures"
        longer = data.state.outcomes[spec.outcome].long is not None
        series = (
            " Its longer series is answered on the page of `leapstudy run all-districts`, and is a frame by "
            '`leapstudy.panel(years="long")`.'
            if longer
            else ""
        )
        raise BadInput(
            f"The contrast {spec.contrast!r} cannot be formed for {spec.outcome!r}: the figures end with "
            f"{panel.years[-1]} in the edition {panel.edition!r}, before {panel.state.program.short} began ({start}). "
            f"They serve as {len(panel.years)} "
            f"years of pre-trend in the event study; for an effect {instead}.{series}"
        )


def _reaches(data: StudyData, outcome: str, spec: Spec, start: str) -> bool:
    """Say whether an outcome can be estimated and has a figure of the first year or later."""
    panel, _ = attempt(build_panel, data, outcome, spec.edition)
    return panel is not None and panel.years[-1] >= start


def sample_from_panel(
    panel: Panel, data: StudyData, spec: Spec, treated: Sequence[str], years: Sequence[str] | None = None
) -> Sample:
    """Return the complete sample from a panel made once; see `build_sample`."""
    treated_side = treated_codes(data, spec.comparison, treated)
    group = comparison_codes(data, spec.comparison)
    refuse_overlap(treated_side, group)
    return sample_of_codes(panel, spec, treated_side, group, years)


def sample_of_codes(
    panel: Panel, spec: Spec, treated: tuple[str, ...], group: tuple[str, ...], years: Sequence[str] | None = None
) -> Sample:
    """Return the complete sample of two sides that were looked up once; see `build_sample`.

    `treated` and `group` are what `treated_codes` and `comparison_codes` give for the spec's comparison.
    """
    if spec.contrast not in panel.state.contrasts:
        raise bad_value("contrast", spec.contrast, panel.state.contrasts, "params/state.yml declares them.")
    codes, without_program = _not_ended(panel, spec, treated)
    clock = clock_of(panel.state, panel.starts, codes)
    contrast = clock.contrasts()[spec.contrast]
    window = _before_ends(panel, clock, clock.usable(years), codes) if years else contrast.years
    if not (clock.is_calendar or (years and window)):  # years of one's own, as of trends, need not be the contrast's
        _refuse_beyond(panel, spec, clock, codes)
    pieces = [_figures(panel, spec, (*codes, *group), clock.school_years(window, start)) for start in clock.starts]
    y, students = (np.stack(part) for part in zip(*pieces, strict=True))
    n, start_of = len(codes), np.array([clock.starts.index(panel.starts.get(code, clock.starts[0])) for code in codes])
    missing = tuple(code for code, row in zip(codes, y[start_of, np.arange(n)], strict=True) if np.isnan(row).any())
    if missing:
        _refuse_treated(panel, codes, missing, spec, window)
        rest = sample_of_codes(panel, spec, tuple(code for code in codes if code not in missing), group, years)
        return replace(rest, left_out=(*without_program, *missing, *rest.left_out))
    full = ~np.isnan(y[:, n:]).any(axis=(0, 2))
    _refuse_comparison(panel.state.unit.noun["en"], group, full, spec, window)
    inside = tuple(code for code, there_ in zip(group, full, strict=True) if there_)
    left_out = (*without_program, *(code for code, there_ in zip(group, full, strict=True) if not there_))
    keep = np.concatenate([np.ones(n, dtype=bool), full])
    y, students = (
        np.stack([_on_scale(part, (*codes, *inside), spec, panel.state) for part in y[:, keep]]),
        students[:, keep],
    )
    if not clock.is_calendar:
        units = Sides(codes, inside, start_of)
        return nest(in_own_years(spec, contrast, units, window, y, students, clock, left_out), panel.belonging, group)
    sides = (y[0, :n], y[0, n:], students[0, :n], students[0, n:])
    return nest(Sample(spec, contrast, codes, inside, window, *sides, clock.label(0), left_out), panel.belonging, group)


def _refuse_beyond(panel: Panel, spec: Spec, clock: Clock, codes: Sequence[str]) -> None:
    """Raise where some of several starts have own years of the contrast that the figures do not reach."""
    years = clock.contrasts()[spec.contrast].years
    years_of = {start: clock.school_years(years, start) for start in clock.starts}
    early = [start for start, years in years_of.items() if years[0] < panel.years[0]]
    late = [start for start, years in years_of.items() if years[-1] > panel.years[-1]]
    if not (early or late):
        return
    units = panel.state.unit.noun["en"][1]
    began = ", ".join(f"{code} in {panel.starts[code]}" for code in codes if panel.starts.get(code) in (early or late))
    beyond = ", ".join(sorted({year for start in early or late for year in years_of[start]} - set(panel.years)))
    fault = (
        f"{panel.state.program.short} began in {began}: {spec.contrast!r} asks for {beyond}, and the figures go from "
        f"{panel.years[0]} to {panel.years[-1]}"
    )
    if early:
        raise BadInput(
            f"{fault}. Whoever had it from their beginning is no comparison either. Choose a contrast with fewer years "
            f"before, or take these {units} out of the table of {units} and of {panel.state.program.starts}."
        )
    instead = (
        f"say `hidden: leave out` under `unit:` of {STATE_FILE}: who starts after the newest figures is then left out "
        "until figures reach the start, and named"
    )
    if panel.state.unit.hidden == "leave out" or min(late) <= panel.years[-1]:
        instead = "choose a contrast that ends earlier"
    raise BadInput(f"{fault}. Add later figures, or {instead}.")


def _not_ended(panel: Panel, spec: Spec, codes: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the treated units that still have the program in the contrast's last year, and those that do not."""
    last, shift = max(panel.state.contrasts[spec.contrast].post), panel.state.calendar.shift
    without_program = tuple(
        code for code in codes if code in panel.ends and shift(panel.starts[code], last) > panel.ends[code]
    )
    with_program = tuple(code for code in codes if code not in without_program)
    if not with_program:
        ends = ", ".join(f"{code} in {panel.ends[code]}" for code in without_program)
        raise BadInput(
            f"{panel.state.program.short} had ended before the last year of {spec.contrast!r} ({ends}): a unit leaves "
            "the sample after its end. Choose a contrast that ends earlier."
        )
    return with_program, without_program


def _before_ends(panel: Panel, clock: Clock, years: Sequence[str], codes: Sequence[str]) -> tuple[str, ...]:
    """Return the years in which every unit that ends still has the program, or has not begun it."""
    ends = {code: panel.ends[code] for code in codes if code in panel.ends}
    later = {
        year for code, end in ends.items() for year in years if clock.school_years([year], panel.starts[code])[0] > end
    }
    return tuple(year for year in years if year not in later)


def _refuse_treated(
    panel: Panel, treated: Sequence[str], missing: Sequence[str], spec: Spec, years: Sequence[str]
) -> None:
    """Raise unless the state says that treated units without published figures are left out, and some remain."""
    if panel.state.unit.hidden == "refuse" or len(missing) == len(treated):
        instead = (
            f", or say `hidden: leave out` under `unit:` of {STATE_FILE}: such units are left out, and named"
            if len(missing) < len(treated)
            else ""
        )
        weighted = spec.weights == "students"
        what = f"{spec.outcome!r} with the number of students that weighs it" if weighted else f"{spec.outcome!r}"
        instead = f"{', or equal weights' if weighted else ''}{instead}"
        raise BadInput(
            f"{capital(agree(len(missing), *panel.state.unit.noun['en']))} {', '.join(missing)} "
            f"{agree(len(missing), 'has', 'have')} no {what} in one of {', '.join(years)} "
            f"(edition {panel.edition!r}). Choose another contrast, edition or outcome{instead}."
        )


def _refuse_comparison(
    noun: tuple[str, str], group: tuple[str, ...], full: np.ndarray, spec: Spec, years: Sequence[str]
) -> None:
    name = comparison_label(spec.comparison)
    if not full.any():
        raise BadInput(
            f"No {noun[0]} of the comparison group {name!r} has figures in all of "
            f"{', '.join(years)}. Choose another group, contrast or edition."
        )
    if full.sum() == 1:
        raise BadInput(
            f"Only {group[int(full.argmax())]} of the comparison group {name!r} has figures in all of "
            f"{years[0]} to {years[-1]}: one {noun[0]} cannot show how far {noun[1]} vary. Add {noun[1]} to the group."
        )


def _figures(panel: Panel, spec: Spec, codes: Sequence[str], years: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return rates and enrollment of `codes` in `years`; a row that lacks a figure it needs is NaN in its rates."""
    require_years(years, panel.years, f"The edition {panel.edition!r} of {panel.outcome!r}")
    places = _places(panel)
    rows = np.array([places.get(code, -1) for code in codes])
    columns = np.array([panel.years.index(year) for year in years])
    rates = np.where(rows[:, None] < 0, np.nan, panel.rates[np.ix_(rows, columns)])
    students = np.where(rows[:, None] < 0, np.nan, panel.students[np.ix_(rows, columns)])
    if spec.weights == "students":
        rates = np.where(np.isnan(students).any(axis=1, keepdims=True), np.nan, rates)
    return rates, students


@of_last
def _places(panel: Panel) -> dict[str, int]:
    return {code: place for place, code in enumerate(panel.codes)}


def _on_scale(rates: np.ndarray, codes: Sequence[str], spec: Spec, state: State) -> np.ndarray:
    if spec.scale == "points":
        return rates
    if state.outcomes[spec.outcome].measure is not None:
        raise BadInput(f"Log-odds are of shares, which {spec.outcome!r} is not: use the scale 'points'.")
    edge = [codes[place] for place in np.flatnonzero(((rates <= 0) | (rates >= 100)).any(axis=1)).tolist()]
    if edge:
        few = f"{', '.join(edge[:5])}{', ...' if len(edge) > 5 else ''}"
        raise BadInput(
            f"Log-odds do not exist for a rate of 0 or 100 percent, as {len(edge)} of {len(codes)} units have ({few}). "
            "Use the scale 'points' or another comparison group."
        )
    share = rates / 100
    return np.log(share / (1 - share))
