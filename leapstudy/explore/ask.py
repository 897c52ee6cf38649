"""One question at a time, quickly: what the explorer shows of a choice, by the same functions as the batch."""

import math
import textwrap
from dataclasses import dataclass
from html import escape

from leapstudy.core.names import ALL_SLUG
from leapstudy.core.phrases import between, capital, number, probability
from leapstudy.data import StudyData, find_district, treated_districts
from leapstudy.data.names import comparison_words, counted_units, outcome_unit, outcome_words
from leapstudy.did.answering import OneContrast, one_contrast
from leapstudy.did.design import Spec
from leapstudy.figures.district import district as drawn
from leapstudy.figures.exhibit import Exhibit
from leapstudy.figures.permutation import permutation
from leapstudy.study.door import panel
from leapstudy.study.rollout.records import require_units_open
from leapstudy.words.findings import moved, treated_words
from leapstudy.words.sentences import LINE


@dataclass(frozen=True, slots=True)
class Words:
    """A sentence that a notebook shows and can replace; the same text for the eye, the page and the test."""

    text: str

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": textwrap.fill(self.text, LINE), "text/html": f"<p>{escape(self.text)}</p>"}


@dataclass(frozen=True, slots=True)
class View:
    """What a choice shows: the estimate in words, and the districts' moves of which it is one."""

    answer: OneContrast
    sentence: Words
    moves: Exhibit


def look(data: StudyData, slug: str, spec: Spec) -> View:
    """Answer one question and draw it.

    Raises
    ------
    BadInput
        If the question cannot be asked of the data, or before the planned day of a draw.
    """
    require_units_open(data)
    answer = one_contrast(data, treated_of(data, slug), spec)
    return View(answer, Words(estimate_words(answer)), moves(answer, slug))


def moves(answer: OneContrast, slug: str) -> Exhibit:
    """Draw one district's path and change among those of others; of several, the estimate among shuffled labels."""
    spec = answer.spec
    if answer.main.n_treated > 1:
        return permutation(answer)
    own_panel = panel(
        None if slug == ALL_SLUG else slug,
        comparison=spec.comparison,
        outcome=spec.outcome,
        contrast=spec.contrast,
        edition=spec.edition,
        weights=spec.weights,
        years="all",
    )
    return drawn(answer, own_panel)


def treated_of(data: StudyData, district: str) -> list[str]:
    """Return the codes of the treated side that a slug, name or code stands for."""
    if district == ALL_SLUG:
        return [item.code for item in treated_districts(data.districts)]
    return [find_district(data.districts, district).code]


def estimate_words(answer: OneContrast) -> str:
    """Say the estimate with its interval, p-value, comparison and smallest detectable effect."""
    main = answer.main
    p = "" if main.p_value is None else f", {probability(main.p_value)}"
    much = moved(main.estimate_pp, main.outcome)
    return (
        f"{capital(treated_words(answer))}: {outcome_words(main.outcome)} changed {much} than in "
        f"{counted_units(main.n_comparison, 'comparison')} ({comparison_words(main.comparison)}); 95% CI "
        f"{between(main.ci_low_pp, main.ci_high_pp)}{p}. {_detectable_words(answer)}"
    )


def _detectable_words(answer: OneContrast) -> str:
    """Say what the preferred test could have detected."""
    half, most = answer.detectable.half_pp, answer.detectable.mde_pp
    if not math.isfinite(half):
        return "The preferred test could not detect any effect here, however large."
    often, unit = f", one of {number(most)} in 80%" if math.isfinite(most) else "", outcome_unit(answer.main.outcome)
    return f"An effect of {number(half)} {unit} would be detected in half of such studies{often}."
