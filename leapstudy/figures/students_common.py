"""What the student track's figures share: SIMULATED on every one, and an exhibit that says why nothing is drawn."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from leapstudy.core.estimate import Estimate
from leapstudy.figures.exhibit import Caption, Exhibit, at_both_widths
from leapstudy.figures.frame import frame, label, signed, styled
from leapstudy.figures.palette import BAND, COMPARISON, INK, OWN, SHADE, SMALL, WIDE
from leapstudy.study.students import StudentStudy
from leapstudy.words.findings_students import SIMULATED
from leapstudy.words.sentences import Finding

SINCE = "months since the first visit"


def student_frame(
    study: StudentStudy, finding: Finding, what: str, height: float, width: float, note: str = ""
) -> tuple[Figure, float, float]:
    """Return a frame whose title is the finding; made from SIMULATED students it says so above."""
    source = f"{study.source}; {study.sizes}. {note}".strip()
    return frame(finding.title, what, source, height, width=width, tag=SIMULATED if study.simulated else "")


def student_exhibit(
    study: StudentStudy, figure: Figure, finding: Finding, what: str, n: str, data: pd.DataFrame
) -> Exhibit:
    """Return the figure as an exhibit; made from SIMULATED students its alternative text and caption say so too."""
    mark = f"{SIMULATED}: " if study.simulated else ""
    alt = Finding(f"{mark}{finding.title}", finding.detail).alt
    caption = Caption(f"{mark}{what}", study.source, study.sample, study.period, n)
    return Exhibit(figure, finding.title, alt, caption, data)


@at_both_widths
def refused_exhibit(study: StudentStudy, title: str, reasons: Sequence[str], width: float = WIDE) -> Exhibit:
    """Return an exhibit that says why there is nothing to draw: a gap in the page would hide it."""
    sentences = [reason for reason in reasons if reason] or ["Too few students are left to be shown."]
    finding = Finding(title, f"Nothing is drawn here: {sentences[0]}")
    with styled():
        figure, _, _ = student_frame(study, finding, finding.detail, 0.05, width)
    table = pd.DataFrame({"Why nothing is drawn": sentences})
    return student_exhibit(study, figure, finding, "Nothing is drawn, for the reason that is given", study.sizes, table)


def n_words(main: Estimate | None) -> str:
    """Say how many visited students an estimate is about, and against how many."""
    if main is None:
        return "no students: the design was refused"
    against = f" against {main.n_comparison:,}" if main.n_comparison else ", nobody to compare with"
    return f"{main.n_treated:,} visited students{against}"


def draw_path(axes: Axes, path: pd.DataFrame, color: str, **keywords: object) -> None:
    """Draw estimates by event time as a line; months that are missing leave a gap."""
    times = np.arange(path["event_time"].min(), path["event_time"].max() + 1)
    whole = path.set_index("event_time")["estimate_pp"].reindex(times)
    axes.plot(times, whole.to_numpy(float), color=color, **keywords)  # type: ignore[arg-type]


def draw_band(axes: Axes, path: pd.DataFrame) -> None:
    """Draw band, line and dots, apart where a month is missing; the base month is a hollow square."""
    times = np.arange(path["event_time"].min(), path["event_time"].max() + 1)
    whole = path.set_index("event_time").reindex(times).astype(float)
    axes.fill_between(times, whole["low_sup_pp"], whole["high_sup_pp"], color=BAND, linewidth=0, zorder=0.5)
    axes.plot(times, whole["estimate_pp"], color=OWN, linewidth=2.4, marker="o", markersize=5, markeredgecolor="white")
    if times[0] < -1 and -1 not in set(path["event_time"]):
        axes.plot(-1, 0, "s", markerfacecolor="white", markeredgecolor=INK, markersize=6, zorder=3)
    low, high = float(whole["low_sup_pp"].min()), float(whole["high_sup_pp"].max())
    axes.set(xlim=(times[0] - 0.5, times[-1] + 0.2), ylim=(low - 0.14 * (high - low), high + 0.16 * (high - low)))
    if times[0] < 0:
        words = "before: expected to be zero"
        axes.text(0.01, 0.015, words, transform=axes.transAxes, size=SMALL, color=COMPARISON, va="bottom")


def month_axis(axes: Axes, words: str = SINCE, ticks: int = 7) -> None:
    """Lay out months since a visit across, effects up: the month of the visit in gray, zero as an ink line."""
    axes.axvspan(-0.5, 0.5, color=SHADE, linewidth=0, zorder=0)
    axes.axhline(0, color=INK, linewidth=1.1, zorder=1.2)
    axes.xaxis.set_major_locator(MaxNLocator(ticks, integer=True, steps=[1, 2, 3, 5, 10]))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}".replace("-", "\N{MINUS SIGN}"))
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 4, 5, 10]))
    axes.yaxis.set_major_formatter(lambda value, _: signed(value))
    axes.set_xlabel(words, size=SMALL, color=COMPARISON)


def end_labels(axes: Axes, ends: Sequence[tuple[float, str, str, str]]) -> None:
    """Write each line's name beside its end (value, name, color, weight), apart where they would meet."""
    low, high = axes.get_ylim()
    inches = axes.get_position().height * axes.figure.get_size_inches()[1]  # type: ignore[union-attr]
    line = SMALL * 1.35 / 72 / inches * (high - low)
    lowest = high + line
    for value, name, color, weight in sorted(ends, reverse=True):
        tall = line * (name.count("\n") + 1)
        middle = min(value, lowest - tall / 2 - 0.1 * line)
        label(axes, name, (1.0, middle), (5, 0), x="axes fraction", color=color, weight=weight)
        lowest = middle - tall / 2
