"""Does any district stand out: every district alone and partially pooled, under all of them together."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from leapstudy.core.phrases import between, capital, missing, number
from leapstudy.data.names import (
    comparison_words,
    counted_units,
    outcome_unit,
    outcome_words,
    short,
    unit_noun,
    unit_nouns,
)
from leapstudy.did.answer import PooledAnswer
from leapstudy.figures.common import caption_of
from leapstudy.figures.exhibit import Exhibit, at_both_widths
from leapstudy.figures.frame import axes, effect_axis, fitted, frame, mark, styled, text_width
from leapstudy.figures.palette import BAND, COMPARISON, CONTEXT, INK, NARROW, OWN, SMALL, TINT, WARNING, WIDE
from leapstudy.words import findings

# Inches from one district to the next.
ROW = 0.25
# What is drawn of all together.
DRAWN = ["estimate_pp", "low_pp", "high_pp"]
# Inches of the longest name, on a wide page and on a narrow one.
NAMES = {False: 2.4, True: 1.36}


@at_both_widths
def forest(pooled: PooledAnswer, width: float = WIDE) -> Exhibit:
    """Draw all districts together, without the one that moves them most, and each alone and partially pooled.

    Parameters
    ----------
    pooled
        Its `caterpillar` is drawn where districts could be pooled; else `by_district`, alone.
    width
        `WIDE` or `NARROW`, inches; figures stand beside the rows where there is room.
    """
    finding, caption = findings.forest(pooled), caption_of(pooled, "Estimates with 95% intervals")
    rows, together = _districts(pooled), _together(pooled)
    longest = NAMES[width <= NARROW]
    rows, together = (
        part.assign(name=[fitted(name, 9.5, longest, "bold") for name in part["name"]]) for part in (rows, together)
    )
    names = [*together["name"], *rows["name"]]
    subtitle = (
        f"Change in {outcome_words(pooled.main.outcome)} beyond that of "
        f"{counted_units(pooled.main.n_comparison)} ({comparison_words(pooled.main.comparison)}), "
        f"{outcome_unit(pooled.main.outcome, 'long')}, 95% CI"
    )
    weighted = "equally" if pooled.spec.weights == "equal" else "by students"
    with styled():
        figure, bottom, top = frame(
            finding.title,
            subtitle,
            f"{caption.source}. {caption.years}; {unit_nouns()} weighted {weighted}.",
            ROW * (len(names) + 1.4) + 0.55,
            width=width,
        )
        left = 0.2 + max(text_width(name, 9.5, "bold") for name in names)
        beside = 0.1 if width <= NARROW else 0.15 + text_width("−00.00 (−00.00 to −00.00)", 9.5, "bold")
        picture = axes(figure, left, width - beside, bottom + 0.45, top)
        _rows(picture, rows, together)
        effect_axis(picture, *_ends(rows, together), most=4 if width <= NARROW else 5)
        _labels(picture, rows, together, figures=width > NARROW)
    return Exhibit(figure, finding.title, finding.alt, caption, _table(rows, together))


def _together(pooled: PooledAnswer) -> pd.DataFrame:
    """The pooled estimate, and the one without the treated district whose absence moves it most."""
    main = pooled.main
    rows = [("All together", main.estimate_pp, main.ci_low_pp, main.ci_high_pp)]
    out = pooled.leave_one_out.query("side == 'treated'")
    if not out.empty:
        most = out.loc[(out["estimate_pp"] - main.estimate_pp).abs().idxmax()]
        rows.append((f"without {short(most['district'])}", most["estimate_pp"], most["ci_low_pp"], most["ci_high_pp"]))
    frame = pd.DataFrame(rows, columns=["name", *DRAWN]).astype(dict.fromkeys(DRAWN, float))
    return frame.assign(p_value=[main.p_value, *[float("nan")] * (len(frame) - 1)])


def _districts(pooled: PooledAnswer) -> pd.DataFrame:
    """One row a district, largest first: alone, and partially pooled where that could be."""
    rows = pooled.by_district if pooled.caterpillar.empty else pooled.caterpillar
    rows = rows.sort_values("estimate_pp", ascending=False).reset_index(drop=True)
    return rows.assign(name=rows["district"].map(short))


def _ends(rows: pd.DataFrame, together: pd.DataFrame) -> tuple[float, float]:
    values = pd.concat([rows[["estimate_pp", "ci_low_pp", "ci_high_pp"]].stack(), together[DRAWN].stack()])
    return float(values.min()), float(values.max())


def _rows(axes: Axes, rows: pd.DataFrame, together: pd.DataFrame) -> None:
    main = together.iloc[0]
    axes.set_ylim(len(together) + len(rows) + 0.9, -0.6)
    axes.axvspan(main["low_pp"], main["high_pp"], color=BAND, linewidth=0, zorder=0)
    for place, row in enumerate(together.itertuples()):
        color = OWN if place == 0 else WARNING
        axes.hlines(place, row.low_pp, row.high_pp, color=color, linewidth=4.5 - 2 * place)
        axes.plot(
            [row.estimate_pp], [place], marker="D", color=color, markersize=10 - 3 * place, markeredgecolor="white"
        )
    places = _places(rows, together)
    axes.hlines(places, rows["ci_low_pp"], rows["ci_high_pp"], color=CONTEXT, linewidth=1.4, zorder=1.6)
    pooled = "shrunken_pp" in rows
    if pooled:
        axes.hlines(places, rows["shrunken_low_pp"], rows["shrunken_high_pp"], color=TINT, linewidth=5, zorder=1.8)
    mark(axes, rows["estimate_pp"], places, "o", COMPARISON, 5.5, hollow=True, zorder=2, markeredgewidth=1.4)
    if pooled:
        axes.plot(rows["shrunken_pp"], places, linestyle="none", marker="o", markersize=5.5, color=OWN)


def _places(rows: pd.DataFrame, together: pd.DataFrame) -> list[float]:
    return [len(together) + 1.0 + place for place in range(len(rows))]


def _labels(axes: Axes, rows: pd.DataFrame, together: pd.DataFrame, figures: bool) -> None:
    """Name the rows at left, write their figures at right, and say which mark is which and where up is."""
    axes.set_yticks([*range(len(together)), *_places(rows, together)], [*together["name"], *rows["name"]])
    for place, label in enumerate(axes.get_yticklabels()[: len(together)]):
        label.set(color=OWN if place == 0 else WARNING, weight="bold" if place == 0 else "normal")
    key = "hollow: alone; blue: partially pooled" if "shrunken_pp" in rows else "hollow: alone"
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    side: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center"}
    at, ha = (0.5, "center") if figures else (1.0, "right")  # on a narrow page it runs under the names
    axes.text(at, len(together), key, ha=ha, size=SMALL, color=COMPARISON, bbox=box, **side)
    ends = "‹ fell more than comparison     rose more ›" if figures else "‹ fell more     rose more ›"
    axes.set_xlabel(ends, size=9, color=COMPARISON, labelpad=4)
    if not figures:
        return
    lead = "shrunken" if "shrunken_pp" in rows else "estimate"
    low, high = (f"shrunken_{end}_pp" if lead == "shrunken" else f"ci_{end}_pp" for end in ("low", "high"))
    above = together[DRAWN].to_numpy(float)
    below = rows[[f"{lead}_pp", low, high]].to_numpy(float)
    for place, (value, *ends_pp) in zip(range(len(together)), above, strict=True):
        weight = "normal" if place else "bold"
        axes.text(1.03, place, _written(value, *ends_pp), color=(OWN, WARNING)[place], weight=weight, **side)
    for at, (value, *ends_pp) in zip(_places(rows, together), below, strict=True):
        axes.text(1.03, at, _written(value, *ends_pp), color=INK, **side)


def _written(value: float, low: float, high: float) -> str:
    return number(value) if missing(low) else f"{number(value)} ({between(low, high)})"


def _table(rows: pd.DataFrame, together: pd.DataFrame) -> pd.DataFrame:
    names = {
        "name": capital(unit_noun()),
        "estimate_pp": "Estimate",
        "ci_low_pp": "Low",
        "ci_high_pp": "High",
        "p_t": "p of this interval (t)",
        "p_value": "p of the preferred test",
        "p_floor": "Smallest possible p",
        "shrunken_pp": "Partially pooled",
        "shrunken_low_pp": "Low, pooled",
        "shrunken_high_pp": "High, pooled",
    }
    own = together.rename(columns={"low_pp": "ci_low_pp", "high_pp": "ci_high_pp"})
    every = pd.concat([own, rows], ignore_index=True)
    return every[[name for name in names if name in every]].rename(columns=names)
