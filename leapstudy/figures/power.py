"""Could we have seen it: sizes of an effect, shaded by the chance to detect them, under what was published."""

import math
from itertools import pairwise

import pandas as pd
from matplotlib.axes import Axes

from leapstudy.core.phrases import capital, number, percent
from leapstudy.data.names import outcome_unit, outcome_words, unit_noun
from leapstudy.did.answer import PooledAnswer
from leapstudy.figures.common import caption_of
from leapstudy.figures.exhibit import Exhibit, at_both_widths
from leapstudy.figures.frame import axes, frame, styled, text_width, wrap
from leapstudy.figures.palette import COMPARISON, CONTEXT, INK, NARROW, OWN, SMALL, TEXT, TINT, WIDE
from leapstudy.study.public import Study
from leapstudy.words import findings

# Inches of one bar with its name above and its threshold below.
ROW = 1.05
# Below an even chance, up to 80%, and from there on.
SHADES = ("white", TINT, OWN)


@at_both_widths
def ruler(study: Study, width: float = WIDE) -> Exhibit:
    """Draw a bar for the design asked, and one for a single district, with the published effects as ticks across.

    Parameters
    ----------
    study
        Its `evidence.power` carries the sizes that are detected in half and in 80% of such studies.
    width
        `WIDE` or `NARROW`, inches.
    """
    power, finding, rows = study.evidence.power, findings.could_we_see_it(study), _designs(study)
    outcome, unit = (say(study.answer.main.outcome) for say in (outcome_words, outcome_unit))
    caption = caption_of(study.answer, f"Effects on average {outcome} by the chance to detect them")
    subtitle = f"Chance to detect an effect on average {outcome}, by its size in {unit}"
    if power is not None:
        subtitle += f". Ticks: published effects on visited students, times the {percent(power.coverage)} visited"
    diluted = sorted(item.diluted_pp for item in power.published) if power else [0.0]
    sizes = [size for size in [*rows["mde_pp"], *rows["half_pp"], 1.2 * diluted[-1]] if math.isfinite(size)]
    end = 1.15 * (max(sizes) or 1)  # no size can be detected and none is published: a bar of one shade
    with styled():
        figure, bottom, top = frame(
            finding.title, subtitle, f"{caption.source}. 5% level.", ROW * len(rows) + 0.45, width=width
        )
        picture = axes(figure, 0.15, width - 0.2, bottom + 0.3, top)
        picture.set(xlim=(0, end), ylim=(len(rows), 0), yticks=[])
        for place, row in enumerate(rows.itertuples()):
            detectable, coverage = (row.half_pp, row.mde_pp), power.coverage if power else None
            _bar(picture, place, row.design, detectable, width - 0.35, unit, coverage)
            picture.vlines(diluted if power else [], place + 0.36, place + 0.64, color=INK, linewidth=2)
        _scale(picture, narrow=width <= NARROW)
    return Exhibit(figure, finding.title, finding.alt, caption, _table(study, rows))


def _designs(study: Study) -> pd.DataFrame:
    """The preferred test for what was asked; of one district alone the t test's, whose half is not known."""
    answer, detects = study.answer, study.answer.detectable
    who, several = capital(findings.treated_words(answer)), answer.main.n_treated > 1
    rows = [(f"{who} together" if several else who, detects.half_pp, detects.mde_pp)]
    if several and isinstance(answer, PooledAnswer):
        rows.append((f"One {unit_noun()} alone", float("nan"), float(answer.by_district["mde_pp"].median())))
    return pd.DataFrame(rows, columns=["design", "half_pp", "mde_pp"])


def _bar(
    axes: Axes, place: int, name: str, sizes: tuple[float, float], room: float, unit: str, coverage: float | None
) -> None:
    """Draw one bar in its shades; above it the design, below it what 80% asks of each visited student."""
    (half, mde), end = sizes, axes.get_xlim()[1]
    edges = [
        0.0,
        *(min(size, end) if math.isfinite(size) else end for size in (mde if math.isnan(half) else half, mde)),
        end,
    ]
    for shade, (left, right) in zip(SHADES, pairwise(edges), strict=True):
        axes.fill_between([left, right], place + 0.36, place + 0.64, color=shade, linewidth=0)
        words = {TINT: "50 to 80%", OWN: "80% or more"}.get(shade, "")  # ticks cross the first shade
        if words and text_width(words, SMALL) < (right - left) / end * room - 0.1:
            axes.text(
                (left + right) / 2,
                place + 0.5,
                words,
                ha="center",
                va="center",
                size=SMALL,
                color="white" if shade == OWN else INK,
            )
    axes.fill_between([0, end], place + 0.36, place + 0.64, facecolor="none", edgecolor=CONTEXT, linewidth=1)
    axes.text(0, place + 0.3, name, weight="bold", size=TEXT, va="bottom")
    sentence = "The preferred test cannot reject here, however large the effect"
    if math.isfinite(mde):
        each = f": {number(mde / coverage, 0)} for each visited student" if coverage else ""
        sentence = f"80% chance from {number(mde)} {unit}{each}"
    axes.text(0, place + 0.68, "\n".join(wrap(sentence, SMALL, room)), size=SMALL, color=OWN, va="top")


def _scale(axes: Axes, narrow: bool) -> None:
    axes.locator_params(axis="x", nbins=4 if narrow else 6)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")  # "0", not "0.000": the edge has no room for it
    axes.tick_params(axis="x", labelcolor=COMPARISON)


def _table(study: Study, rows: pd.DataFrame) -> pd.DataFrame:
    power, unit = study.evidence.power, outcome_unit(study.answer.main.outcome)
    if power is None:
        return rows.set_axis(["Design", f"Even chance from, {unit}", f"80% chance from, {unit}"], axis=1)
    published = pd.DataFrame(
        {
            "Published effect": [item.label for item in power.published],
            "On visited students, points": [float(item.effect_pp) for item in power.published],
            "On the average, points": [item.diluted_pp for item in power.published],
            "Chance to detect it, percent": [100 * item.power for item in power.published],
        }
    )
    return published.assign(**{f"80% chance from, {row.design}": row.mde_pp for row in rows.itertuples()})
