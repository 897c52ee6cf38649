"""The answer as one picture: the interval over what was published, or that of a choice over the one on record."""

from typing import Any

import pandas as pd

from leapstudy.core.phrases import capital, interval_words, number, points
from leapstudy.data.names import (
    OWN_YEAR,
    comparison_words,
    counted_units,
    outcome_unit,
    outcome_words,
    study_names,
    year_label,
)
from leapstudy.did.answering import OneContrast
from leapstudy.evidence.verdict import UNCLAIMED
from leapstudy.figures.common import caption_of
from leapstudy.figures.exhibit import Caption, Exhibit, alt_text, at_both_widths
from leapstudy.figures.frame import ROW, axes, frame, named_intervals, styled
from leapstudy.figures.palette import COMPARISON, WIDE
from leapstudy.study.public import Study
from leapstudy.study.result import jsonable
from leapstudy.words import findings
from leapstudy.words.plain_page import group_words, kind, period_words, place_words, range_words, words_for
from leapstudy.words.reading import Reading, read_result


@at_both_widths
def plain_chart(reading: Reading, lang: str = "en", width: float = WIDE) -> Exhibit:
    """Draw the estimate with its interval over the range of the published effects, on one axis."""
    say = words_for(reading, lang)
    rows, caption = _rows(reading, say), _caption(reading, say)
    title = _title(reading, say)
    with styled():
        figure, bottom, top = frame(
            title,
            f"{capital(caption.sample)}; {say['chart_unit' if reading.effect.bounded else 'chart_unit_open']}",
            caption.source if reading.simulated or reading.period else f"{caption.source}; {caption.years}.",
            0.42 + ROW * len(rows),
            width=width,
            tag=_tag(reading, say),
        )
        picture = axes(figure, 0.2, width - 0.2, bottom + 0.32, top - 0.05)
        named_intervals(picture, rows.assign(own=rows.index == 0), width)
    return Exhibit(
        figure=figure,
        title=title,
        alt=_alt(reading, say),
        caption=caption,
        data=rows.set_axis([say[f"table_{name}"] for name in ("what", "value", "low", "high")], axis=1),
    )


@at_both_widths
def answer_chart(study: Study[Any], lang: str = "en", width: float = WIDE) -> Exhibit:
    """Draw the same of a study that is at hand; see `plain_chart`."""
    return plain_chart(read_result(jsonable({**study.parts, "made": {}})), lang, width)


def _tag(reading: Reading, say: dict[str, str]) -> str:
    """Return what stands across a picture of figures or of a program that are not real."""
    if reading.simulated:
        return say["chart_tag"]
    return say["chart_tag_invented"] if study_names().state.program.invented else ""


def _title(reading: Reading, say: dict[str, str]) -> str:
    effect = reading.effect
    key = "chart_finding" if effect.bounded else "chart_finding_open"
    if reading.verdict.kind in UNCLAIMED:
        key = "chart_finding_unclaimed"
    low, high = (number(end) if end is not None else "" for end in (effect.low, effect.high))
    return say[key].format(effect=number(effect.value), low=low, high=high, range=range_words(effect, say, 2))


def _rows(reading: Reading, say: dict[str, str]) -> pd.DataFrame:
    effect = reading.effect
    rows: list[tuple[str, float | None, float | None, float | None]] = [
        (say["chart_estimate"], effect.value, effect.low, effect.high)
    ]
    if reading.implied is not None:
        rows.append((say["chart_implied"], None, *reading.implied))
    frame = pd.DataFrame(rows, columns=["what", "value", "low", "high"])
    return frame.astype({"value": float, "low": float, "high": float})


def _alt(reading: Reading, say: dict[str, str]) -> str:
    beside = []
    if reading.implied is not None:
        low, high = map(number, reading.implied)
        beside.append(say["chart_beside_implied"].format(low=low, high=high))
    if reading.mde is not None:
        beside.append(say["chart_beside_mde"].format(mde=number(reading.mde)))
    estimate = say["chart_alt"].format(
        effect=points(reading.effect.value), range=range_words(reading.effect, say, 2), beside=" ".join(beside)
    )
    return alt_text(estimate.strip())


def _source(reading: Reading, say: dict[str, str]) -> str:
    if reading.simulated:
        return say["simulated"].rstrip(".")
    own = period_words(reading.source, reading.period, say)
    return own or study_names().source(reading.outcome, reading.edition)


def _period(reading: Reading, say: dict[str, str]) -> str:
    """Return the months of student files that count: of a draw to the last one in which the outcome is measured."""
    counted = reading.period
    if reading.draw and counted:
        counted = " to ".join((counted.partition(" to ")[0], reading.post.rpartition(" to ")[2]))
    return period_words(counted, counted, say)


def _caption(reading: Reading, say: dict[str, str]) -> Caption:
    pooled = say["chart_treated_pooled"].format(n_treated=reading.n_treated)
    treated = pooled if kind(reading) == "pooled" else place_words(reading, say)
    counts = {"n_treated": f"{reading.n_treated:,}", "n_comparison": f"{reading.n_comparison:,}"}
    pre, post = (year_label(years).replace("+", f" {say['and']} ") for years in (reading.pre, reading.post))
    own = f" ({say['own_years']})" if post.startswith(OWN_YEAR) else ""
    pre, post = (years.replace(OWN_YEAR, f"{say['own_year']} ") for years in (pre, post))
    return Caption(
        what=say["chart_what" if reading.effect.bounded else "chart_what_open"],
        source=_source(reading, say),
        sample=say["chart_sample"].format(treated=treated, group=group_words(reading, say), **counts),
        years=_period(reading, say) or say["chart_years"].format(pre=pre, post=post) + own,
        n=say["chart_n"].format(**counts),
    )


NOW, RECORD = "this choice", "on record"


@at_both_widths
def choice(headline: OneContrast, recorded: OneContrast, width: float = WIDE) -> Exhibit:
    """Draw the interval of a choice over that of the recorded choice for the same district.

    Parameters
    ----------
    headline, recorded
        Answers of one district, or of all together.
    width
        `WIDE` or `NARROW`, inches.
    """
    rows, main = _both(headline, recorded), headline.main
    title = (
        findings.district_title(headline)
        if main.n_treated == 1
        else findings.best_title(main, main.ci_low_pp, main.ci_high_pp)
    )
    caption = caption_of(headline, "The estimate of this choice, and the one on record")
    what = f"Effect on {outcome_words(main.outcome)}, {outcome_unit(main.outcome, 'long')}, 95% CI by permutation"
    against = f"{counted_units(main.n_comparison, 'comparison')} ({comparison_words(main.comparison)})"
    with styled():
        figure, bottom, top = frame(
            title, what, f"{caption.source}. {caption.years}; {against}.", 0.42 + ROW * len(rows), width=width
        )
        picture = axes(figure, 0.2, width - 0.2, bottom + 0.32, top - 0.05)
        named_intervals(picture, rows.assign(own=rows.index == 0), width, COMPARISON, 4)
    alt = f"{title}; {interval_words(main.ci_low_pp, main.ci_high_pp)}."
    return Exhibit(figure, title, alt, caption, rows.set_axis(["Choice", "Estimate", "Low", "High"], axis=1))


def _both(headline: OneContrast, record: OneContrast) -> pd.DataFrame:
    rows = [
        (name, item.main.estimate_pp, item.main.ci_low_pp, item.main.ci_high_pp)
        for name, item in ((NOW, headline), (RECORD, record))
    ]
    frame = pd.DataFrame(rows, columns=["what", "value", "low", "high"])
    return frame.astype({"value": float, "low": float, "high": float})
