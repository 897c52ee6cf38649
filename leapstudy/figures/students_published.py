"""The recommended design beside the published effects and, where the students are SIMULATED, beside the truth."""

import pandas as pd
from matplotlib.axes import Axes

from leapstudy.core.estimate import Estimate
from leapstudy.core.phrases import between, points
from leapstudy.data.names import program_name
from leapstudy.figures.exhibit import Exhibit
from leapstudy.figures.students_common import BAND, EFFECT, SINCE, n_words, refused_exhibit, student_exhibit
from leapstudy.figures.style import BLUE, INK, MARKS, PURPLE, in_house_style, legend_below, new_figure, zero_line
from leapstudy.study.students import StudentStudy


@in_house_style
def beside_published(study: StudentStudy) -> Exhibit:
    """Draw the recommended design beside the published effects and, where SIMULATED, beside the truth."""
    path = study.answer.design().path
    path = path[path["event_time"] >= 0]
    if path.empty:
        return refused_exhibit(study, "Beside the published effects", study.answer.design().refused)
    figure, axes = new_figure(4.2)
    times = path["event_time"].to_numpy(float)
    axes.fill_between(
        times,
        path["low_sup_pp"].to_numpy(float),
        path["high_sup_pp"].to_numpy(float),
        color=BAND,
        zorder=0.5,
        linewidth=0,
    )
    axes.plot(times, path["estimate_pp"], color=BLUE, marker="o", label="estimate, 95 % band over all months")
    if study.truth is not None:
        axes.plot(
            study.truth["event_time"],
            study.truth["effect_pp"],
            color=INK,
            linestyle="--",
            marker="s",
            markersize=4,
            label="true effect of the SIMULATED visits",
        )
    _published(axes, study.published)
    zero_line(axes, vertical=False)
    axes.set(xlabel=SINCE, ylabel=EFFECT)
    legend_below(axes, 2)
    return student_exhibit(
        study,
        figure,
        "Beside the published effects" + (" and the truth" if study.truth is not None else ""),
        _truth_words(study),
        "Effect on visited students by month since the first visit; stars are the effects published for "
        f"{program_name()} as published, whose errors and method are not public",
        n_words(study.answer.design().main),
        _truth_table(study, path),
    )


def _published(axes: Axes, published: pd.DataFrame) -> None:
    mark = MARKS["published"]
    axes.plot(
        published["month"],
        published["effect_pp"],
        linestyle="none",
        marker=mark.marker,
        markersize=10,
        color=PURPLE,
        label="published effect",
    )
    for who, month, effect in zip(published["who"], published["month"], published["effect_pp"], strict=True):
        shift, side = _beside(int(month), float(effect))
        axes.annotate(
            who, (month, effect), shift, textcoords="offset points", ha=side, va="center", fontsize=8, color=PURPLE
        )
    last = published["month"].max()
    axes.set(xlim=(-0.5, last + 1.6), xticks=range(int(last) + 1))


def _beside(month: int, effect: float) -> tuple[tuple[int, int], str]:
    """Return where a published effect's name goes: clear of the paths, which rise from the lower left."""
    if month == 1:
        return (8, -12), "left"
    if month == 6:
        return ((0, -14), "center") if effect < 10 else ((-9, 0), "right")
    return (9, 0), "left"


def _truth_words(study: StudentStudy) -> list[str]:
    main = study.answer.design().main
    estimate = (
        "The recommended design was refused."
        if main is None
        else (
            f"Over {study.headline_words} the estimate is {points(main.estimate_pp)} points "
            f"({between(main.ci_low_pp, main.ci_high_pp)})."
        )
    )
    if study.true_headline is None:
        return [estimate]
    verdict = "inside" if _holds(main, study.true_headline) else "outside"
    return [estimate, f"The true effect is {points(study.true_headline)}, {verdict} the interval."]


def _holds(estimate: Estimate | None, value: float) -> bool:
    if estimate is None or estimate.ci_low_pp is None or estimate.ci_high_pp is None:
        return False
    return estimate.ci_low_pp <= value <= estimate.ci_high_pp


def _truth_table(study: StudentStudy, path: pd.DataFrame) -> pd.DataFrame:
    table = path[["event_time", "estimate_pp", "low_sup_pp", "high_sup_pp"]]
    names = ["Month", "Estimate", "Low, all months", "High, all months"]
    if study.truth is not None:
        table = table.merge(study.truth, on="event_time", how="left")
        names.append("True effect")
    return table.set_axis(names, axis=1)
