"""Before any model: mean attendance by year, and chronic absence in the whole state."""

import pandas as pd
from matplotlib.axes import Axes

from leapstudy.core.frames import extremes
from leapstudy.core.phrases import number, points
from leapstudy.data.names import outcome_words, program_name, short, study_names
from leapstudy.figures.common import Asked, caption_of, legend_below, mark_of
from leapstudy.figures.exhibit import Caption, Exhibit, alt_text
from leapstudy.figures.style import INK, MARKS, in_house_style, new_figure


@in_house_style
def raw_means(answer: Asked) -> Exhibit:
    """Draw mean attendance by year for the treated side and each group, before any model."""
    rows = answer.raw_means
    years = list(dict.fromkeys(rows["year"]))
    start, outcome = _start(answer, years), outcome_words(answer.main.outcome)
    figure, axes = new_figure(4.0)
    axes.axvspan(years.index(start) - 0.5, len(years) - 0.5, color="#F2F2F2", zorder=0)
    for group, part in rows.groupby("group", sort=False):
        line = part.sort_values("year")
        places = [years.index(year) for year in line["year"]]
        mark = mark_of(str(group))
        axes.plot(places, line["rate_pct"], label=_series_label(line), **mark.keywords())
    axes.set(
        xticks=range(len(years)),
        xticklabels=years,
        xlim=(-0.3, len(years) - 0.5),
        ylabel=f"{outcome}, percent",
    )
    _name_shade(axes, years.index(start), "years with visits")
    legend_below(axes, 2)
    first = rows["group"].iloc[0]
    own = rows[rows["group"] == first].set_index("year")["rate_pct"]
    return Exhibit(
        figure=figure,
        title=f"{outcome.capitalize()} before any model",
        alt=alt_text(
            f"{short(str(rows['label'].iloc[0]))}: {outcome} of {_path(own)}.",
            f"{_beside(rows, str(first), years, start)}",
        ),
        caption=caption_of(
            answer,
            f"Mean {outcome}, districts weighted equally{study_names().running(answer.main.edition)}",
            f"{years[0]} to {years[-1]}",
        ),
        data=_by_year(rows),
    )


def _by_year(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the percentages with a row per group and a column per year, as they are compared."""
    named = rows.assign(label=rows["label"].map(short))
    wide = named.pivot(index=["label", "n_districts"], columns="year", values="rate_pct")
    order = pd.MultiIndex.from_frame(named[["label", "n_districts"]].drop_duplicates())
    return wide.reindex(order).reset_index().rename(columns={"label": "Group", "n_districts": "Districts"})


def _start(answer: Asked, years: list[str]) -> str:
    """Return the first year with the program: the treated side's own, or where starts differ the first of them."""
    own = answer.event_study.start
    return own if own in years else study_names().starts[0]


def _name_shade(axes: Axes, start: int, words: str) -> None:
    across = axes.get_xaxis_transform()  # x in years, y as a share of the height
    axes.text(start - 0.45, 0.98, words, transform=across, va="top", fontsize=9)


def _series_label(line: pd.DataFrame) -> str:
    n = int(line["n_districts"].iloc[0])
    name = short(str(line["label"].iloc[0]))
    return name if n == 1 else f"{name} ({n})"


def _path(own: pd.Series) -> str:
    return ", ".join(f"{number(rate, 1)} % in {year}" for year, rate in own.items())


def _beside(rows: pd.DataFrame, first: str, years: list[str], start: str) -> str:
    change = rows[rows["year"] == start].set_index("label")["rate_pct"]
    early = years[: years.index(start)]
    before = rows[rows["year"].isin(early)].groupby("label", sort=False)["rate_pct"].mean()
    moved = (change - before).dropna()
    others = [label for label in rows.loc[rows["group"] != first, "label"].unique() if label in moved.index]
    return (
        f"Change from the mean of {early[0]} to {early[-1]} to {start}: "
        + ", ".join(f"{short(label)} {points(moved[label])}" for label in [rows["label"].iloc[0], *others])
        + " points."
    )


@in_house_style
def statewide_chronic(state: pd.DataFrame) -> Exhibit:
    """Draw chronic absence in the whole state with the figures that the claims quote.

    Parameters
    ----------
    state
        `Facts.state_chronic_long`: year, percent, students, wording ('exact' or 'about'), source.
    """
    years, percent = list(state["year"]), state["percent"].astype(float).to_numpy()
    figure, axes = new_figure(3.9)
    start = study_names().starts[0]
    if start in years:
        axes.axvspan(years.index(start) - 0.5, len(years) - 0.5, color="#F2F2F2", zorder=0)
        _name_shade(axes, years.index(start), f"years with {program_name()}")
    axes.plot(range(len(years)), percent, **MARKS["leap"].keywords())
    about = [place for place, wording in enumerate(state["wording"]) if wording != "exact"]
    axes.plot(about, percent[about], linestyle="none", marker="s", markerfacecolor="white", markeredgecolor=INK)
    for place, value in enumerate(percent):
        before, after = percent[max(place - 1, 0)], percent[min(place + 1, len(percent) - 1)]
        side, shift = ("right", -5) if after - value > 2 else ("left", -2) if before - value > 2 else ("center", 0)
        text = f"{value:g}" if place in about else f"{value:.1f}"
        axes.annotate(text, (place, value), (shift, 7), textcoords="offset points", ha=side, fontsize=8.5)
    axes.set(xlim=(-0.5, len(years) - 0.5), xticks=range(len(years)), ylim=(0, 28), ylabel="percent of students, K-12")
    axes.set_xticklabels(years, rotation=40, ha="right")
    _, peak = extremes(state, "percent")
    last = study_names().state.calendar.shift(start, -3)
    before = state[state["year"] <= last]["percent"]
    return Exhibit(
        figure=figure,
        title="Chronic absence in the whole state",
        alt=alt_text(
            f"Chronic absence in {study_names().state.state.name} stood between {before.min():g} and {before.max():g} "
            f"% up to {last}, "
            f"peaked at {peak['percent']:g} % in {peak['year']} and fell to about {percent[-1]:g} % by {years[-1]}.",
            f"The first school year with {program_name()} was the year of the peak.",
        ),
        caption=Caption(
            what="Students who missed 10 % or more of their days; a hollow marker is a rounded figure",
            source="as named at each year in the table",
            sample=f"all public students of {study_names().state.state.name}, kindergarten to grade 12",
            years=f"{years[0]} to {years[-1]}",
            n=f"{len(years)} school years",
        ),
        data=state[["year", "percent", "students", "wording", "source"]].set_axis(
            ["Year", "Percent", "Students", "Wording", "Source"], axis=1
        ),
    )
