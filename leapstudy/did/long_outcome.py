"""Contrasts and event studies of one outcome over many school years, on both scales, with and without flagged years."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from leapstudy.core.cache import of_last
from leapstudy.core.errors import BadInput
from leapstudy.core.estimate import Estimate
from leapstudy.core.names import Scale
from leapstudy.did.contrasts import Contrast
from leapstudy.did.design import Sample, Spec
from leapstudy.did.effect import Effect, fit, row
from leapstudy.did.eventstudy import EventStudy, event_study
from leapstudy.did.inference.compare import estimate_rows, synthetic_only
from leapstudy.did.inference.record import Inference
from leapstudy.did.nested import nest
from leapstudy.did.permutation import DRAWS
from leapstudy.did.sample import Belonging

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
