"""One question at a time, quickly: what the explorer shows of a choice, by the same functions as the batch."""

import math
import textwrap
from dataclasses import dataclass, replace
from html import escape

from leapstudy.core.names import ALL_SLUG
from leapstudy.core.phrases import between, counted, number, probability
from leapstudy.data import StudyData, find_district, leap_districts
from leapstudy.data.names import comparison_words, outcome_words, study_names
from leapstudy.did.design import Spec
from leapstudy.did.glance import Glance, glance
from leapstudy.figures import chance, raw, trends
from leapstudy.figures.common import treated_words
from leapstudy.figures.exhibit import Exhibit
from leapstudy.words.findings import LINE, moved

WEIGHTS = {"equal": "districts weighted equally", "students": "districts weighted by enrollment before the program"}


@dataclass(frozen=True, slots=True)
class Words:
    """A sentence that a notebook shows and can replace; the same text for the eye, the page and the test."""

    text: str

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": textwrap.fill(self.text, LINE), "text/html": f"<p>{escape(self.text)}</p>"}


@dataclass(frozen=True, slots=True)
class View:
    """What a choice shows: the estimate in words, raw means, the estimate among placebos, the event study."""

    answer: Glance
    sentence: Words
    raw_means: Exhibit
    permutation: Exhibit
    event_study: Exhibit


def look(data: StudyData, district: str, spec: Spec) -> View:
    """Answer one question and draw it.

    Parameters
    ----------
    data
        The study's tables.
    district
        Slug, name or code of a treated district, or `all-districts`.
    spec
        What is asked.

    Raises
    ------
    BadInput
        If the question cannot be asked of the data.
    """
    answer = glance(data, treated_of(data, district), spec)
    drawn = means(answer), chance.permutation(answer), trends.event_study(answer.event_study)
    return View(answer, Words(estimate_words(answer)), *drawn)


def treated_of(data: StudyData, district: str) -> list[str]:
    """Return the codes of the treated side that a slug, name or code stands for."""
    if district == ALL_SLUG:
        return [item.code for item in leap_districts(data.districts)]
    return [find_district(data.districts, district).code]


def estimate_words(answer: Glance) -> str:
    """Say the estimate with its interval, p-value, comparison and smallest detectable effect."""
    main = answer.main
    p = "" if main.p_value is None else f", {probability(main.p_value)}"
    return (
        f"{treated_words(answer)}: {outcome_words(main.outcome)} changed {moved(main.estimate_pp)} than in "
        f"{counted(main.n_comparison, 'comparison district')} ({comparison_words(main.comparison)}); 95% CI "
        f"{between(main.ci_low_pp, main.ci_high_pp)}{p}. {_detectable_words(answer)}"
    )


def _detectable_words(answer: Glance) -> str:
    """Say what the test that leads could have detected."""
    half, most = answer.detectable.half_pp, answer.detectable.mde_pp
    if not math.isfinite(half):
        return "The preferred test could not detect any effect here, however large."
    often = f", one of {number(most)} in 80%" if math.isfinite(most) else ""
    return f"An effect of {number(half)} points would be detected in half of such studies{often}."


def means(answer: Glance) -> Exhibit:
    """Draw attendance by year on the two sides that are compared, with the weights of the question."""
    labels = {answer.main.comparison: comparison_words(answer.main.comparison)}
    exhibit = raw.raw_means(replace(answer, raw_means=answer.raw_means.replace({"label": labels})))
    what = f"Mean attendance, {WEIGHTS[answer.spec.weights]}{study_names().running(answer.spec.edition)}"
    return replace(exhibit, caption=replace(exhibit.caption, what=what))
