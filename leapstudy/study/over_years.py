"""An outcome over many years, answered: contrasts, event studies, flagged years, and what later years mix."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from leapstudy.core.cache import of_last
from leapstudy.core.errors import BadInput, attempt
from leapstudy.core.estimate import Estimate
from leapstudy.core.names import ALL_DISTRICTS, Scale
from leapstudy.data import StudyData
from leapstudy.data.long_series import LongSeries, load_long_series
from leapstudy.data.names import short
from leapstudy.did.comparison import comparison_codes, treated_codes
from leapstudy.did.contrasts import Contrast, clock_of
from leapstudy.did.design import Sample, Spec, build_sample
from leapstudy.did.effect import Effect, fit, row
from leapstudy.did.eventstudy import EventStudy, event_study
from leapstudy.did.honest import Violation
from leapstudy.did.inference.compare import estimate_rows, synthetic_only
from leapstudy.did.inference.record import Inference
from leapstudy.did.nested import nest
from leapstudy.did.permutation import DRAWS
from leapstudy.did.sample import Belonging, belonging_of
from leapstudy.did.sensitivity.bounds import Bounds, bounds_of
from leapstudy.evidence.broken_series import can_screen, screen
from leapstudy.study.rollout.records import require_units_open

SCALES: tuple[Scale, ...] = ("points", "logodds")
# The two bases: the last school year before the program, and the mean of all of them.
LAST, MEAN = "last", "mean"


@dataclass(frozen=True, slots=True)
class Question:
    """The sides and the years of one analysis.

    Attributes
    ----------
    treated, comparison : tuple of str
        Codes.
    before, after : tuple of str
        School years that may be used, in order.
    spec : Spec
        Names of outcome, comparison and edition for the rows; its scale and contrast are set per row.
    belonging : Belonging
        The larger units and the lots, by which the spec's `nested` asks for errors and strata.
    """

    treated: tuple[str, ...]
    comparison: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    spec: Spec
    belonging: Belonging


def contrasts_of(question: Question) -> list[Contrast]:
    """Return every contrast: both bases to each later year and to their mean; the last base to the mean comes first."""
    last, every = question.before[-1:], question.before
    posts: list[tuple[str, ...]] = [(year,) for year in question.after]
    if len(question.after) > 1:
        posts.append(question.after)
    return [
        Contrast(base, f"{_words(pre)} to {_words(post)}", pre, post, "sensitivity")
        for base, pre in ((LAST, last), (MEAN, every))
        for post in posts
        if base == LAST or len(every) > 1
    ]


def _words(years: Sequence[str]) -> str:
    return years[0] if len(years) == 1 else f"mean of {years[0]} to {years[-1]}"


@of_last
def _figures(rates: pd.DataFrame, units: tuple[str, ...]) -> np.ndarray:
    """Return the figures of units, one row each; every contrast asks for them."""
    return rates.reindex(index=list(units)).to_numpy(float)


def sample_of(question: Question, rates: pd.DataFrame, contrast: Contrast, scale: Scale) -> Sample:
    """Return the units of either side that have every figure that the contrast uses.

    Parameters
    ----------
    question
        Sides and years.
    rates
        Percent; one row a unit, one column a school year.
    contrast
        From `contrasts_of`.
    scale
        `points`, or `logodds` (natural logarithm of the odds).

    Raises
    ------
    BadInput
        If a treated unit lacks a figure, or fewer than two comparison units have all of them.
    """
    years = list(contrast.years)
    places = rates.columns.get_indexer(years)
    figures = _figures(rates, (*question.treated, *question.comparison))
    values: np.ndarray = np.where(places < 0, np.nan, figures[:, places])
    if scale == "logodds":
        share = values.clip(0.05, 99.95) / 100
        values = np.log(share / (1 - share))
    whole, n = ~np.isnan(values).any(axis=1), len(question.treated)
    incomplete = [code for code, there in zip(question.treated, whole[:n], strict=True) if not there]
    if incomplete:
        raise BadInput(f"{', '.join(incomplete)} has no {question.spec.outcome} in one of {', '.join(years)}.")
    comparison = tuple(code for code, there in zip(question.comparison, whole[n:], strict=True) if there)
    if len(comparison) < 2:
        raise BadInput(
            f"Fewer than two units of the comparison group have {question.spec.outcome} in all of {', '.join(years)}."
        )
    treated, others = values[:n], values[n:][whole[n:]]
    sample = Sample(
        replace(question.spec, scale=scale),
        contrast,
        question.treated,
        comparison,
        tuple(years),
        treated,
        others,
        np.ones(treated.shape),
        np.ones(others.shape),
        question.after[0],
        tuple(code for code in question.comparison if code not in comparison),
    )
    return nest(sample, question.belonging, question.comparison)


# Effects by scale, base (`LAST` or `MEAN`) and later years.
Effects = dict[tuple[Scale, str, tuple[str, ...]], Effect]


def effects_of(question: Question, rates: pd.DataFrame, draws: int = DRAWS) -> Effects:
    """Return the effect of each contrast on each scale; what cannot be asked is not there."""
    effects: Effects = {}
    for scale in SCALES:
        for contrast in contrasts_of(question):
            try:
                effects[scale, contrast.name, contrast.post] = fit(sample_of(question, rates, contrast, scale), draws)
            except BadInput:
                continue
    return effects


def rows_of(effects: Mapping[Any, Effect], code: str, name: str) -> list[Estimate]:
    """Return the effects as rows of `estimates.csv`; `pre` and `post` are years joined by plus signs."""
    return [row(effect, code, name, "sensitivity") for effect in effects.values()]


def whole_contrast(years: Sequence[str]) -> Contrast:
    """Return the contrast that asks for every year: what an event study's sample needs."""
    return Contrast(LAST, "every year", tuple(years[:1]), tuple(years[1:]), "sensitivity")


def synthetic_of(question: Question, rates: pd.DataFrame, name: str) -> tuple[Inference, list[Estimate]]:
    """Return what weights of the comparison districts give for one district, all years before to all later ones.

    Raises
    ------
    BadInput
        If there is more than one treated unit, or it lacks a figure.
    """
    before, after = question.before, question.after
    contrast = Contrast(MEAN, f"{_words(before)} to {_words(after)}", before, after, "sensitivity")
    sample = sample_of(question, rates, contrast, "points")
    synthetic = synthetic_only(sample)
    return synthetic, estimate_rows(synthetic, sample, name)


def event_study_of(question: Question, rates: pd.DataFrame, scale: Scale, aside: Iterable[str] = ()) -> EventStudy:
    """Return the event study over all years, the last year before the program being the reference.

    Units need a figure in every used year. `aside` are further years (incomplete ones) that take part in the picture
    and never in the joint test: they are left out here where any side lacks them.
    """
    years = [*question.before, *question.after]
    extra = [year for year in aside if year in rates and rates.loc[[*question.treated], year].notna().all()]
    everything = tuple(sorted([*years, *extra]))
    sample = sample_of(question, rates, whole_contrast(everything), scale)
    return event_study(sample, question.before[-1], extra)


FLAG_COLUMNS = ("outcome", "unit", "district", "year", "pattern", "direction", "z_in", "z_out", "departure")
KINDS: tuple[Violation, ...] = ("relative_magnitudes", "smoothness")
# Shuffles of the labels a contrast: there are many contrasts, and none of them is the planned main one.
SHUFFLES = 1_999


# Tables of figures whose screens are remembered, the last ones asked for; a study has one for each outcome.
MOST_SCREENS = 64


@dataclass(frozen=True, slots=True)
class OverYears:
    """What is known of one outcome over many years, for one district or for all together; percentage points.

    Attributes
    ----------
    outcome, comparison : str
    code, name : str
        The treated side.
    n_treated, n_comparison : int
        Units with a figure in every used year.
    before, after : tuple of str
        Used school years; the last of `before` is the base of the event studies.
    shown : dict
        Years that are drawn and not used, with the reason.
    start : str
        First school year of the program.
    levels : DataFrame
        group ('treated', 'comparison', 'state'), year, percent: means of the districts with every figure.
    units : DataFrame
        district_code, year, percent of each comparison district; for thin lines.
    points, odds : EventStudy
        Differences by year, in points and in log-odds (the columns are named for points in both).
    flags : DataFrame
        Flagged years of the sample's units, see `flagged_years`.
    unflagged : DataFrame
        scale, year, estimate, low, high, units: the event study's later years without the flagged unit-years of the
        treated side.
    bounds : tuple of Bounds
        Robust intervals of the first later year in points, by how far trends may depart; for several treated units.
    bounds_refused : tuple of str
        Why bounds of a kind cannot be made.
    synthetic : Inference or None
        For one district: the synthetic difference and the synthetic control over all years; None for all together.
    headline_without : tuple of Estimate
        The planned main estimate of all districts without treated districts that are flagged in a year
        that it uses: one at a time, the largest departure first, and all of them.
    estimates : tuple of Estimate
        Rows of `estimates.csv`: every contrast, scale and comparison group.
    later, source : str
        What later years mix; where the figures are from.
    """

    outcome: str
    comparison: str
    code: str
    name: str
    n_treated: int
    n_comparison: int
    before: tuple[str, ...]
    after: tuple[str, ...]
    shown: dict[str, str]
    start: str
    levels: pd.DataFrame
    units: pd.DataFrame
    points: EventStudy
    odds: EventStudy
    flags: pd.DataFrame
    unflagged: pd.DataFrame
    bounds: tuple[Bounds, ...]
    bounds_refused: tuple[str, ...]
    synthetic: Inference | None
    headline_without: tuple[Estimate, ...]
    estimates: tuple[Estimate, ...]
    later: str
    source: str


def over_years(data: StudyData, spec: Spec, code: str, name: str, *, robust: bool = True) -> OverYears:
    """Answer for one district (`code`), or for all of them together (``ALL``), with the spec's comparison group.

    Without `robust` the bounds that let trends depart are left out: they take most of the time.

    Raises
    ------
    BadInput
        If the study declares no outcome over many years, or the district or its comparison lacks figures; where lots
        were drawn, before outcomes are open.
    """
    state = data.state
    require_units_open(data)
    outcome = next((key for key, item in state.outcomes.items() if item.long is not None), "")
    series = load_long_series(state, outcome, pd.Index(data.districts["district_code"]))
    treated = _treated(data, code)
    question = _question(data, series, replace(spec, outcome=outcome, scale="points"), treated)
    whole = sample_of(question, series.rates, whole_contrast([*question.before, *question.after]), "points")
    points, odds = (event_study_of(question, series.rates, scale, series.declared.shown) for scale in SCALES)
    every = flagged_years(data)
    flags = every[every["unit"].isin([*whole.treated, *whole.comparison])].reset_index(drop=True)
    without = headline_without(data, spec, treated, every) if len(treated) > 1 else ()
    synthetic, rows = synthetic_of(question, series.rates, name) if len(whole.treated) == 1 else (None, [])
    bounds, reasons = (
        bounds_of(event_study_of(question, series.rates, "points"), KINDS) if robust and len(treated) > 1 else ((), ())
    )
    return OverYears(
        outcome=outcome,
        comparison=points.comparison,
        code=code,
        name=name,
        n_treated=len(whole.treated),
        n_comparison=len(whole.comparison),
        before=question.before,
        after=question.after,
        shown=dict(series.declared.shown),
        start=question.after[0],
        levels=_levels(series, whole.treated, whole.comparison),
        units=_units(series, whole.comparison),
        points=points,
        odds=odds,
        flags=flags,
        unflagged=_unflagged(question, series, flags),
        bounds=bounds,
        bounds_refused=reasons,
        synthetic=synthetic,
        headline_without=without,
        estimates=(*_estimates(data, series, spec, code, name, treated), *rows, *without),
        later=series.declared.later,
        source="; ".join(item.source for item in series.declared.series),
    )


def sample_over_years(data: StudyData, spec: Spec, codes: Sequence[str]) -> Sample:
    """Return the joined figures of the spec's outcome over many years, as its contrasts and event study use them.

    Raises
    ------
    BadInput
        If the study declares no such series for the outcome, or a district lacks figures.
    """
    series = load_long_series(data.state, spec.outcome, pd.Index(data.districts["district_code"]))
    question = _question(data, series, replace(spec, scale="points"), tuple(codes))
    years = Contrast("long", "every year used", question.before, question.after, "sensitivity")
    return sample_of(question, series.rates, years, "points")


def flagged_years(data: StudyData) -> pd.DataFrame:
    """Return every flagged unit-year of the study's public figures, of every outcome with a table and both directions.

    Returns
    -------
    DataFrame
        outcome, unit, district, year, pattern, direction, z_in, z_out, departure; see `evidence.broken_series.screen`.
        An exclusion of `params/state.yml` is not among them: it is no longer there. Figures of too few years or units
        for a screen, and of a group of students, have no flags.
    """
    tables = _screens(data)
    if not tables:
        return pd.DataFrame(columns=list(FLAG_COLUMNS))
    flags = pd.concat([table.assign(outcome=outcome) for outcome, table in tables.items()], ignore_index=True)
    names = data.districts.set_index("district_code")["district"].map(short)
    flags = flags.assign(district=flags["unit"].map(names))
    return flags[list(FLAG_COLUMNS)]


@of_last
def _screens(data: StudyData) -> dict[str, pd.DataFrame]:
    """Return outcome -> its flagged unit-years, of every outcome that can be screened."""
    state = data.state
    attendance, students = _attendance(data)
    tables = {"attendance_rate": _screened(attendance, students)}
    for outcome, item in state.outcomes.items():
        if item.long is not None:
            rates = load_long_series(state, outcome, pd.Index(data.districts["district_code"])).rates
            tables[outcome] = _screened(rates, students.reindex(rates.index), attendance)
        elif (own := data.table_of(outcome)) is not None:
            figures = own.rows.pivot(index="district_code", columns="year", values="percent").sort_index(axis=1)
            size = own.rows.groupby("district_code")["students"].median().combine_first(students)
            tables[outcome] = _screened(figures, size.reindex(figures.index), share=item.measure is None)
    return {outcome: table for outcome, table in tables.items() if table is not None}


@dataclass(frozen=True, slots=True)
class Screen:
    """The screen for broken series of a question that no outcome over many years goes with.

    Attributes
    ----------
    flags, headline_without
        As in `OverYears`; empty where that is there.
    refused : bool
        Whether the outcome asked for cannot be screened.
    """

    flags: pd.DataFrame
    headline_without: tuple[Estimate, ...]
    refused: bool


def screen_of(data: StudyData, spec: Spec, code: str, years: OverYears | None) -> Screen | None:
    """Return what the screen adds to `years`; None where that says all."""
    without_screen = spec.outcome not in _screens(data)
    if years is not None:
        return Screen(pd.DataFrame(columns=list(FLAG_COLUMNS)), (), without_screen) if without_screen else None
    treated, every = _treated(data, code), flagged_years(data)
    sample = build_sample(data, spec, treated)
    flags = every[every["unit"].isin([*sample.treated, *sample.comparison])].reset_index(drop=True)
    return Screen(flags, headline_without(data, spec, treated, every) if len(treated) > 1 else (), without_screen)


def _screened(
    rates_pct: pd.DataFrame, students: pd.Series, companion_pct: pd.DataFrame | None = None, share: bool = True
) -> pd.DataFrame | None:
    """Return the screen of some figures, None where none can be made.

    It is made once for equal figures: it is the same whichever district is asked.
    """
    if not can_screen(rates_pct, students, share=share):
        return None
    frames = [rates_pct, students, *([] if companion_pct is None else [companion_pct])]
    parts = [(tuple(frame.axes[-1]), pd.util.hash_pandas_object(frame).to_numpy().tobytes()) for frame in frames]
    flags = _SCREENS.pop(key := (share, *parts), None)
    if flags is None:
        flags = screen(rates_pct, students, companion_pct=companion_pct, share=share)
    _SCREENS[key] = flags
    if len(_SCREENS) > MOST_SCREENS:
        _SCREENS.pop(next(iter(_SCREENS)), None)
    return flags.copy()


_SCREENS: dict[object, pd.DataFrame] = {}


def _attendance(data: StudyData) -> tuple[pd.DataFrame, pd.Series]:
    """Return the newest edition's attendance of all students in percent, and their median number."""
    rows = data.attendance[(data.attendance["group"] == "all")]
    newest = rows[rows["edition"] == rows["edition"].max()]
    wide = newest.pivot(index="district_code", columns="year", values="rate").sort_index(axis=1)
    return 100 * wide, newest.groupby("district_code")["students"].median()


def headline_without(
    data: StudyData, spec: Spec, treated: tuple[str, ...], flags: pd.DataFrame
) -> tuple[Estimate, ...]:
    """Return the spec's pooled estimate without each treated unit that is flagged in a year that it uses, and without
    all.

    The unit of the largest departure comes first; nothing is returned where no such unit is flagged. Flags of
    attendance and chronic absence count for both, those of another outcome for itself.
    """
    sample = build_sample(data, spec, treated)
    clock, outcomes = clock_of(data.state, data.starts, sample.treated), data.state.outcomes
    years = {code: clock.school_years(sample.contrast.years, data.starts[code]) for code in sample.treated}
    own = bool(outcomes[spec.outcome].table)
    kin = [name for name in outcomes if name == spec.outcome or not (own or outcomes[name].table)]
    in_series = [year in years.get(unit, ()) for unit, year in zip(flags["unit"], flags["year"], strict=True)]
    flags_of_kin = flags[np.array(in_series, dtype=bool) & flags["outcome"].isin(kin)]
    order = flags_of_kin.assign(size=flags_of_kin["departure"].abs()).sort_values("size", ascending=False)["unit"]
    out = list(dict.fromkeys(order))
    names = data.districts.set_index("district_code")["district"].map(short)
    rows = []
    for without in [*([unit] for unit in out), *([out] if len(out) > 1 else [])]:
        codes = [code for code in sample.treated if code not in without]
        if len(codes) > 1:
            without_names = ", ".join(names[code] for code in without)
            effect = fit(build_sample(data, spec, codes), SHUFFLES)
            one = row(effect, ALL_DISTRICTS, f"without {without_names}", "sensitivity")
            rows.append(replace(one, estimator="did_without_flagged"))
    return tuple(rows)


def _treated(data: StudyData, code: str) -> tuple[str, ...]:
    if code != ALL_DISTRICTS:
        return (code,)
    return tuple(sorted(data.districts.loc[data.districts["treated"], "district_code"]))


def _question(data: StudyData, series: LongSeries, spec: Spec, treated: tuple[str, ...]) -> Question:
    start = min(data.starts[code] for code in treated)
    sides = treated_codes(data, spec.comparison, treated), comparison_codes(data, spec.comparison)
    return Question(*sides, series.before, series.after(start), spec, belonging_of(data))


def _levels(series: LongSeries, treated: tuple[str, ...], comparison: tuple[str, ...]) -> pd.DataFrame:
    sides = {"treated": series.rates.loc[[*treated]].mean(), "comparison": series.rates.loc[[*comparison]].mean()}
    parts = [
        pd.DataFrame({"group": group, "year": rates.index, "percent": rates.to_numpy()})
        for group, rates in sides.items()
    ]
    own = series.whole_state
    parts.append(pd.DataFrame({"group": "state", "year": own.index, "percent": own.to_numpy()}))
    return pd.concat(parts, ignore_index=True)


def _units(series: LongSeries, comparison: tuple[str, ...]) -> pd.DataFrame:
    long = series.rates.loc[[*comparison]].rename_axis("district_code").reset_index()
    return long.melt("district_code", var_name="year", value_name="percent").dropna(ignore_index=True)


def _unflagged(question: Question, series: LongSeries, flags: pd.DataFrame) -> pd.DataFrame:
    """Return the later years of the event study without the treated units that are flagged in that year."""
    rows = []
    for year in question.after:
        own = flags[(flags["year"] == year) & (flags["outcome"] == series.outcome)]
        out = set(own["unit"]) & set(question.treated)
        treated = tuple(code for code in question.treated if code not in out)
        if not out or not treated:
            continue
        for scale in SCALES:
            table = event_study_of(replace(question, treated=treated), series.rates, scale).table
            later = table[table["year"] == year].iloc[0]
            rows.append((scale, year, *later[["estimate_pp", "low_pp", "high_pp"]], ", ".join(sorted(out))))
    return pd.DataFrame(rows, columns=["scale", "year", "estimate", "low", "high", "units"])


def _estimates(
    data: StudyData, series: LongSeries, spec: Spec, code: str, name: str, treated: tuple[str, ...]
) -> tuple[Estimate, ...]:
    """Return every contrast against every named comparison group that has the figures."""
    rows: list[Estimate] = []
    for comparison in dict.fromkeys([spec.comparison, *data.state.groups]):
        question_spec = replace(spec, outcome=series.outcome, comparison=comparison, scale="points")
        question, _ = attempt(_question, data, series, question_spec, treated)
        rows += rows_of(effects_of(question, series.rates, SHUFFLES), code, name) if question else []
    return tuple(rows)
