"""A rollout before it is held: what each scenario would find, what chance alone finds, and what more money buys."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from leapstudy.core.phrases import between, counted, number, percent
from leapstudy.data.names import outcome_unit, unit_of
from leapstudy.evidence.power import detectable_at, on_visited
from leapstudy.figures.exhibit import Caption, Exhibit, at_both_widths
from leapstudy.figures.frame import axes, frame, styled, text_width
from leapstudy.figures.palette import COMPARISON, CONTEXT, INK, OWN, SMALL, TINT, WIDE
from leapstudy.study.rollout.scenarios import Design
from leapstudy.words import rollout as words
from leapstudy.words.sentences import Finding

# Inches of one scenario.
ROW = 0.34


def _caption(design: Design, what: str) -> Caption:
    return Caption(
        what=what,
        source=_source(design),
        sample=design.eligible.rstrip("."),
        years=design.past,
        n=counted(design.n_eligible, "student" if design.chosen.track == "students" else "unit"),
    )


def _source(design: Design) -> str:
    if design.simulated:
        return "SIMULATED students"
    return "Student files, not published" if design.chosen.track == "students" else "The state's published figures"


def _tag(design: Design) -> str:
    return "SIMULATED" if design.simulated else ""


@at_both_widths
def scenarios(design: Design, width: float = WIDE) -> Exhibit:
    """Draw the smallest detectable effect on a visited student, by scenario, for the outcome that is primary."""
    outcome = design.best.outcome  # the primary one, where it was tried
    finding, matters = words.recommendation(design), design.chosen.budget.matters(outcome)
    rows = [item for item in design.scenarios if item.outcome == outcome]
    detectable = [item.detectable_visited for item in rows if words.can_be(item)]
    sizes = [item.detectable_visited for item in rows]
    names = [words.scenario_words(item) + ("" if item.affordable else " *") for item in rows]
    end = 1.2 * max([*detectable, matters])
    subtitle = (
        f"Smallest effect on {design.whom} that four in five lotteries find, "
        f"{unit_of(outcome, words.outcome_words(outcome))}; line: the effect that would matter"
    )
    note = " * beyond the budget." if any(not item.affordable for item in rows) else ""
    caption = _caption(design, "Smallest detectable effect by scenario")
    left = 0.25 + max(text_width(name, 9.5) for name in names)
    with styled():
        figure, bottom, top = frame(
            finding.title, subtitle, f"{caption.source}.{note}", ROW * len(rows) + 0.5, width=width, tag=_tag(design)
        )
        picture = axes(figure, left, width - 0.3, bottom + 0.3, top)
        picture.set(xlim=(0, end), ylim=(len(rows) - 0.5, -0.5))
        picture.set_yticks(range(len(rows)), names)
        for place, (item, size) in enumerate(zip(rows, sizes, strict=True)):
            visible = words.can_be(item)
            picture.barh(place, size if visible else 0, height=0.55, color=OWN if item == design.best else TINT)
            label = number(size, 1) if visible else "none"
            picture.text((size if visible else 0) + 0.01 * end, place, label, va="center", size=SMALL, color=INK)
        picture.axvline(matters, color=INK, linewidth=1.2)
    data = pd.DataFrame({"scenario": names, f"{outcome_unit(outcome)} on {design.whom}": sizes})
    return Exhibit(figure, finding.title, finding.alt, caption, data)


@at_both_widths
def chance(design: Design, width: float = WIDE) -> Exhibit:
    """Draw what deals without an effect found in the best scenario, and where the smallest detectable effect lies."""
    best, unit = design.best, outcome_unit(design.best.outcome)
    ends = np.quantile(best.dealt.estimates, (0.05, 0.95))
    finding = Finding(
        f"By chance alone nine in ten estimates lie from {between(*ends)} {unit}", words.false_alarms(best)
    )
    subtitle = (
        f"{len(best.dealt.estimates):,} deals of a program without effect into past periods; each dot is an "
        f"estimate in {unit}; line: smallest detectable effect"
    )
    caption = _caption(design, "Estimates of deals without an effect")
    values = np.sort(best.dealt.estimates)
    with styled():
        figure, bottom, top = frame(finding.title, subtitle, f"{caption.source}.", 2.0, width=width, tag=_tag(design))
        picture = axes(figure, 0.2, width - 0.2, bottom + 0.3, top)
        _dots(picture, values)
        picture.axvline(0, color=INK, linewidth=1.2)
        if words.possible(best.dealt.detectable, best.outcome):
            picture.axvline(best.dealt.detectable, color=OWN, linewidth=1.5)
    data = pd.DataFrame({"deal": range(1, len(values) + 1), f"estimate, {unit}": values})
    return Exhibit(figure, finding.title, finding.alt, caption, data)


def _dots(picture: Axes, values: np.ndarray) -> None:
    """Stack the estimates as dots, each at the middle of its bin."""
    counts, edges = np.histogram(values, 41)
    for count, left, right in zip(counts, edges[:-1], edges[1:], strict=True):
        picture.plot(np.full(count, (left + right) / 2), np.arange(count) + 0.5, ".", color=COMPARISON, markersize=3)
    picture.set(yticks=[], ylim=(0, 1.1 * counts.max()))


@at_both_widths
def money(design: Design, width: float = WIDE) -> Exhibit:
    """Draw the smallest detectable effect on a visited student against the budget, for lotteries of students."""
    best, budget, n = design.best, design.chosen.budget, design.n_eligible
    unit, matters = outcome_unit(best.outcome), budget.matters(best.outcome)
    price = budget.per_visited_student * budget.met
    shares = np.linspace(0.02, 0.5, 49)
    dollars = shares * n * price
    sizes = [on_visited(detectable_at(best.dealt.detectable, best.offered, share), budget.met) for share in shares]
    bounded = [size for size in sizes[2:] if np.isfinite(size)]  # none where no deal could be told from chance
    finding = Finding(words.money(design).title, words.money(design).detail)
    subtitle = (
        f"Smallest detectable effect on a visited student, {unit}, by budget in $1,000, up to half of the list "
        f"offered; shaded: what matters, from {number(matters, 1)} {unit} down"
    )
    caption = _caption(design, "Smallest detectable effect by budget")
    with styled():
        figure, bottom, top = frame(finding.title, subtitle, f"{caption.source}.", 2.2, width=width, tag=_tag(design))
        picture = axes(figure, 0.5, width - 0.25, bottom + 0.3, top)
        picture.axhspan(0, matters, color=TINT, alpha=0.35, linewidth=0)
        picture.plot(dollars / 1000, sizes, color=OWN, linewidth=2)
        picture.axvline(budget.dollars / 1000, color=CONTEXT, linewidth=1.2)
        picture.set(xlim=(0, dollars[-1] / 1000), ylim=(0, 1.1 * max([*bounded, matters])))
    table = pd.DataFrame({"share offered": [percent(share, 0) for share in shares], "dollars": dollars, unit: sizes})
    return Exhibit(figure, finding.title, finding.alt, caption, table)
