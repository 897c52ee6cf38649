"""The plain page's one chart, from a result alone: the estimate beside what could have been seen."""

import pandas as pd
from matplotlib.axes import Axes

from leapstudy.core.phrases import number, points
from leapstudy.data.names import study_names
from leapstudy.figures.common import draw_intervals
from leapstudy.figures.exhibit import Caption, Exhibit, alt_text
from leapstudy.figures.style import INK, MARKS, PALE, in_house_style, new_figure, zero_line
from leapstudy.words.plain_page import catalog, group_words, kind, range_words
from leapstudy.words.reading import Reading


@in_house_style
def plain_chart(reading: Reading, lang: str = "en") -> Exhibit:
    """Draw the estimate with its interval, the published effects as they would show, and what is too small to see."""
    say = catalog(lang)
    rows = _rows(reading, say)
    figure, axes = new_figure(0.95 + 0.42 * len(rows))
    if reading.mde is not None:
        axes.axvspan(-reading.mde, reading.mde, color=PALE, alpha=0.6, zorder=0)
        axes.text(-reading.mde, len(rows) - 0.42, f" {say['chart_unseen']}", va="top", fontsize=9, color=INK)
    draw_intervals(axes, rows.iloc[:1], rows.index[:1].to_numpy(), MARKS["leap"], "", **_COLUMNS)
    _draw_implied(axes, rows.iloc[1:])
    zero_line(axes)
    axes.set(
        yticks=rows.index, yticklabels=rows["what"], ylim=(-0.6, len(rows) - 0.35), xlabel=say["chart_axis"],
    )  # fmt: skip
    axes.grid(False, axis="y")
    return Exhibit(
        figure=figure,
        title=say["chart_title"],
        alt=_alt(reading, say),
        caption=_caption(reading, say),
        data=rows.set_axis([say[f"table_{name}"] for name in ("what", "value", "low", "high")], axis=1),
    )


_COLUMNS = {"estimate": "value", "low": "low", "high": "high"}


def _rows(reading: Reading, say: dict[str, str]) -> pd.DataFrame:
    effect = reading.effect
    rows: list[tuple[str, float | None, float | None, float | None]] = [
        (say["chart_estimate"], effect.value, effect.low, effect.high)
    ]
    if reading.implied_low is not None:
        rows.append((say["chart_implied"], None, reading.implied_low, reading.implied_high))
    frame = pd.DataFrame(rows, columns=["what", "value", "low", "high"])
    frame[["value", "low", "high"]] = frame[["value", "low", "high"]].astype(float)
    return frame.set_index(frame.index[::-1])


def _draw_implied(axes: Axes, rows: pd.DataFrame) -> None:
    color = MARKS["published"].color
    axes.hlines(rows.index, rows["low"], rows["high"], color=color, linewidth=7)


def _alt(reading: Reading, say: dict[str, str]) -> str:
    beside = []
    if reading.implied_low is not None and reading.implied_high is not None:
        low, high = number(reading.implied_low), number(reading.implied_high)
        beside.append(say["chart_beside_implied"].format(low=low, high=high))
    if reading.mde is not None:
        beside.append(say["chart_beside_mde"].format(mde=number(reading.mde)))
    found = say["chart_alt"].format(
        effect=points(reading.effect.value), range=range_words(reading.effect, say, 2), beside=" ".join(beside)
    )
    return alt_text(found.strip())


def _source(reading: Reading, say: dict[str, str]) -> str:
    if reading.simulated:
        return say["simulated"].rstrip(".")
    return reading.source or study_names().source(reading.outcome, reading.edition)


def _caption(reading: Reading, say: dict[str, str]) -> Caption:
    pooled = say["chart_treated_pooled"].format(n_treated=reading.n_treated)
    treated = pooled if kind(reading) == "pooled" else reading.name
    counts = {"n_treated": reading.n_treated, "n_comparison": reading.n_comparison}
    pre, post = (years.replace("+", f" {say['and']} ") for years in (reading.pre, reading.post))
    return Caption(
        what=say["chart_what"],
        source=_source(reading, say),
        sample=say["chart_sample"].format(treated=treated, group=group_words(reading, say), **counts),
        years=say["chart_years"].format(pre=pre, post=post),
        n=say["chart_n"].format(**counts),
    )
