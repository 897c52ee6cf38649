"""An answer's sensitivity in pictures: tests, estimators, placebos in time, every specification, all districts
shrunken.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from leapstudy.core.frames import extremes
from leapstudy.core.phrases import between, counted, points
from leapstudy.data.names import (
    comparison_short,
    comparison_words,
    contrast_words,
    outcome_words,
    study_names,
    years_words,
)
from leapstudy.did.answer import DistrictAnswer, PooledAnswer, estimator_rows
from leapstudy.did.contrasts import clock_from, years_label
from leapstudy.did.sensitivity.record import Bounds
from leapstudy.did.sensitivity.specifications import CHOICES
from leapstudy.figures import bars as sure
from leapstudy.figures.common import Answer, caption_of, draw_intervals, legend_below, treated_words
from leapstudy.figures.exhibit import Caption, Exhibit, alt_text
from leapstudy.figures.style import GROUP_MARKS, MARKS, in_house_style, new_figure, zero_line
from leapstudy.study.result import jsonable
from leapstudy.words.bounds import largest_bound


def tests(answer: DistrictAnswer) -> Exhibit:
    """Draw every test of one treated district."""
    refused = sum(bool(method.refusal) for method in answer.inference.methods)
    what = (
        f"The same question under every test that can be made; {counted(refused, 'method')} refused, with the "
        f"reason in the table of the appendix"
    )
    return sure.inference_methods(answer.methods, caption_of(answer, what))


def specifications(answer: Answer) -> Exhibit:
    """Draw every specification in order, and which choices made it."""
    shown = told_curve(answer.sensitivity.curve, answer.event_study.start)
    caption = replace(
        caption_of(
            answer,
            f"Every way to ask for the effect on {outcome_words(answer.spec.outcome)}, with 95 % intervals; 'placebo' "
            "says whether the same choices find a difference before any visit",
            "as named at each row",
        ),
        sample=f"{treated_words(answer)} against each comparison group",
        n=counted(len(shown), "specification"),
    )
    return sure.specification_curve(shown, [*CHOICES, "placebo"], caption)


def told_curve(curve: pd.DataFrame, start: str) -> pd.DataFrame:
    """Return the curve of units that started in `start` with its choices in words, and whether its own placebo was
    rejected as one of them.
    """
    years = {
        name: (years_label(item.pre), years_label(item.post))
        for name, item in clock_from(study_names(), start).contrasts().items()
    }
    return curve.assign(
        comparison=curve["comparison"].map(comparison_short),
        contrast=[contrast_words(*years[name]) for name in curve["contrast"]],
        placebo=np.where(curve["fair_before"], "not rejected", "rejected"),
    )


@in_house_style
def estimators(answer: Answer) -> Exhibit:
    """Draw the main estimate beside the ones that take something more into account."""
    rows = estimator_rows(answer)
    places = np.arange(len(rows), dtype=float)[::-1]
    main = rows["is_main"].to_numpy(bool)
    figure, axes = new_figure(1.6 + 0.42 * len(rows))
    draw_intervals(axes, rows[~main], places[~main], MARKS["placebo"], "another estimator")
    draw_intervals(axes, rows[main], places[main], MARKS["leap"], "the main one")
    zero_line(axes)
    axes.set(
        yticks=places, yticklabels=rows["label"], ylim=(-0.6, len(rows) - 0.4), xlabel=sure.EFFECT + " (95 % interval)"
    )
    legend_below(axes, 2)
    low, high = extremes(rows, "estimate_pp")
    clear = int(((rows["ci_low_pp"] > 0) | (rows["ci_high_pp"] < 0)).sum())
    return Exhibit(
        figure=figure,
        title="Do other estimators say the same",
        alt=alt_text(
            f"{counted(len(rows), 'estimator')} from {points(low['estimate_pp'])} ({low['label']}) to "
            f"{points(high['estimate_pp'])} ({high['label']}); {clear} of {len(rows)} intervals leave out zero."
        ),
        caption=caption_of(
            answer, f"Effects on the average of {years_words(answer.main.post)} by estimator, with 95 % intervals"
        ),
        data=rows[["label", "estimate_pp", "se_pp", "ci_low_pp", "ci_high_pp", "p_value", "n_comparison"]].set_axis(
            ["Estimator", "Estimate", "Standard error", "Low", "High", "p", "Comparison districts"], axis=1
        ),
    )


@in_house_style
def in_time(answer: Answer) -> Exhibit:
    """Draw what the same computation finds in years before there was a program."""
    table = answer.sensitivity.in_time
    first = table.iloc[0]
    places = np.arange(len(table), dtype=float)[::-1]
    chronic = (table["outcome"] == "chronic_absence").to_numpy()
    figure, axes = new_figure(1.5 + 0.3 * len(table))
    ends = {"low": "low_pp", "high": "high_pp"}
    draw_intervals(axes, table[~chronic], places[~chronic], MARKS["leap"], "attendance", **ends)
    draw_intervals(axes, table[chronic], places[chronic], GROUP_MARKS[0], "chronic absence (a plus is worse)", **ends)
    zero_line(axes)
    axes.set(
        yticks=places,
        yticklabels=table["post"],
        ylim=(-0.6, len(table) - 0.4),
        xlabel="placebo effect, points (95 % interval)",
        ylabel="year taken for the first",
    )
    legend_below(axes, 2)
    away, main = rejected(table), answer.main
    return Exhibit(
        figure=figure,
        title="What the same comparison finds in years before the program",
        alt=alt_text(
            f"{away} of {len(table)} placebo effects before the program have an interval that leaves out zero, where "
            f"zero is due in all.",
            f"Attendance {first['pre']} to {first['post']}: {points(table['estimate_pp'].iloc[0])} "
            f"({between(table['low_pp'].iloc[0], table['high_pp'].iloc[0])}).",
            _chronic_words(table[chronic]),
        ),
        caption=Caption(
            what="Change from the two years before (attendance: the one year) to the year named, less that of the "
            "comparison districts",
            source=study_names().all_sources(answer.main.edition),
            sample=f"{treated_words(answer)} against {comparison_words(main.comparison)}",
            years=f"{table['post'].iloc[min(1, len(table) - 1)]} to {first['post']}",
            n=f"{main.n_treated} treated, {counted(main.n_comparison, 'comparison district')}",
        ),
        data=table[["outcome", "pre", "post", "estimate_pp", "low_pp", "high_pp", "p_value"]]
        .assign(outcome=table["outcome"].map(outcome_words))
        .set_axis(["Outcome", "From", "To", "Placebo effect", "Low", "High", "p"], axis=1),
    )


def _chronic_words(rows: pd.DataFrame) -> str:
    if rows.empty:
        return "Chronic absence has too few years before for a placebo."
    return f"Chronic absence: {points(rows['estimate_pp'].min())} to {points(rows['estimate_pp'].max())}."


def rejected(table: pd.DataFrame) -> int:
    """Return how many placebo intervals leave out zero."""
    return int(((table["low_pp"] > 0) | (table["high_pp"] < 0)).sum())


BENT = {
    "relative_magnitudes": "change from year to year",
    "smoothness": "change of slope",
}


def bounds(answer: PooledAnswer) -> Exhibit:
    """Draw the robust bounds of attendance, and of chronic absence in a year before the program."""
    made = [item for item in answer.sensitivity.bounds if item.kind in BENT]
    if not made:
        reason = next(text for text in answer.sensitivity.not_possible if text.startswith("Robust bounds"))
        raise ValueError(f"This answer holds no robust bounds: {reason}")
    what = (
        "Robust 95 % intervals as trends may depart by so much: any year's change of the difference, or of its slope, "
        "by the largest one "
        "before; a year before the program is a placebo, where zero is expected"
    )
    caption = replace(
        caption_of(answer, what, "as named above each picture"), source=study_names().all_sources(answer.main.edition)
    )
    return sure.breakdown([_departure(item) for item in made], caption)


def _departure(found: Bounds) -> sure.Departure:
    unit = largest_bound(jsonable(found))
    at = None if found.breakdown is None else found.breakdown / unit
    title = f"{outcome_words(found.outcome)} {found.year},\n{BENT[found.kind]}"
    return sure.Departure(title, found.table.assign(m=found.table["m"] / unit), at)
