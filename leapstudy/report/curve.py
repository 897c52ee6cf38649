"""The specification curve to walk along: each point is a question that another analyst might have asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.names import ComparisonName, Edition, Scale, Weights, options
from leapstudy.data import StudyData
from leapstudy.did.contrasts import CONTRASTS, years_label
from leapstudy.did.design import Spec, build_panel, sample_from_panel
from leapstudy.did.effect import Effect, fit
from leapstudy.did.glance import glance
from leapstudy.report.exhibit import Caption, Exhibit
from leapstudy.report.explore import Words, means, treated_of
from leapstudy.report.figures.common import source_of
from leapstudy.report.figures.sure import specification_curve
from leapstudy.report.live import Controls, Live
from leapstudy.report.phrases import between, comparison_short, contrast_words, counted, outcome_words, points
from leapstudy.report.style import VERMILLION

CHOICES = ("group", "years", "weights", "edition", "scale")
KEPT = 16
STILL = "Move along the curve while the notebook is open and running; below stands the question that was asked."


@dataclass(frozen=True, slots=True)
class Curve:
    """Every specification of one outcome for one district, by estimate: `specs[i]` made row i of `frame`.

    `frame` has estimate_pp, low_pp, high_pp, is_main and a column per name in `CHOICES`.
    """

    title: str
    specs: tuple[Spec, ...]
    frame: pd.DataFrame

    def asking(self, spec: Spec) -> "Curve":
        """Return the same curve with another of its specifications as the one that is asked."""
        return replace(self, frame=self.frame.assign(is_main=[item == spec for item in self.specs]))


def curve_of(data: StudyData, district: str, title: str, spec: Spec) -> Curve:
    """Fit every comparison group, contrast, weighting, edition and scale that the data can be asked; no placebo.

    Raises
    ------
    BadInput
        If the spec itself cannot be asked.
    """
    treated, panel = treated_of(data, district), cache(partial(build_panel, data))
    effects: dict[Spec, Effect] = {}
    for other in dict.fromkeys((spec, *_variants(spec))):
        try:
            sample = sample_from_panel(panel(other.outcome, other.edition), data.districts, other, treated)
        except BadInput:
            if other == spec:
                raise
            continue
        effects[other] = fit(sample, draws=0)  # a curve shows intervals, no p-values
    ordered = sorted(effects, key=lambda item: effects[item].estimate_pp)
    return Curve(title, tuple(ordered), pd.DataFrame([_row(item, effects[item], spec) for item in ordered]))


def _variants(spec: Spec) -> Iterator[Spec]:
    contrasts = [name for name, item in CONTRASTS.items() if item.role != "placebo"]
    names = ("comparison", "contrast", "weights", "edition", "scale")
    for values in product(options(ComparisonName), contrasts, options(Weights), options(Edition), options(Scale)):
        changes: dict[str, Any] = dict(zip(names, values, strict=True))
        yield replace(spec, **changes)


def _row(spec: Spec, effect: Effect, asked: Spec) -> dict[str, Any]:
    contrast = CONTRASTS[spec.contrast]
    ends = [end if np.isfinite(end) else None for end in (effect.ci_low_pp, effect.ci_high_pp)]
    group = spec.comparison if isinstance(spec.comparison, str) else ",".join(spec.comparison)
    return {
        "estimate_pp": effect.estimate_pp, "low_pp": ends[0], "high_pp": ends[1], "is_main": spec == asked,
        "group": comparison_short(group), "years": contrast_words(years_label(contrast.pre), years_label(contrast.post)),
        "weights": spec.weights, "edition": spec.edition, "scale": spec.scale,
    }  # fmt: skip


def point_words(curve: Curve, place: int) -> str:
    """Say which question a point asks, and its answer."""
    row = curve.frame.iloc[place]
    return (
        f"Point {place + 1} of {len(curve.specs)}: {points(row['estimate_pp'])} points ({between(row['low_pp'], row['high_pp'])}); "
        f"against {row['group']}, {row['years']}, weights {row['weights']}, {row['edition']} edition, {row['scale']}."
    )


def draw(curve: Curve, place: int) -> Exhibit:
    """Draw the curve with one point marked."""
    spec = curve.specs[0]
    exhibit = specification_curve(curve.frame, CHOICES, _caption(curve, spec))
    top = exhibit.figure.axes[0]
    top.axvline(place, color=VERMILLION, linewidth=1.0, linestyle=":")
    top.plot(
        [place], [curve.frame["estimate_pp"].iloc[place]], linestyle="none", marker="o", markersize=11,
        markerfacecolor="none", markeredgecolor=VERMILLION, markeredgewidth=2,
    )  # fmt: skip
    return exhibit


def _caption(curve: Curve, spec: Spec) -> Caption:
    return Caption(
        what=f"Every way to ask for the effect on {outcome_words(spec.outcome)}; the ring is the point that the next figure shows",
        source=source_of(spec.outcome, "2022-23"),
        sample=f"{curve.title} against each comparison group",
        years="2019-20 to 2022-23",
        n=counted(len(curve.specs), "specification"),
    )


class Walk:
    """The curve, a slider under it, and what the point under the slider shows.

    Attributes
    ----------
    controls : Controls
        The slider, with words in its place where there is none.
    picture, sentence, raw_means : Live
        The curve with the point ringed, the point in words, and its raw means.
    """

    def __init__(self, data: StudyData, district: str, title: str, spec: Spec, *, live: bool = True) -> None:
        """Start at the question asked; parameters as in `Explorer`, `title` is the district's name."""
        self.data, self.asked = data, (district, spec)
        self.curve_of = lru_cache(maxsize=KEPT)(partial(curve_of, data))
        self.curve: Curve = self.curve_of(district, title, spec)
        start = self.curve.specs.index(spec)
        self.picture, self.sentence = Live(draw(self.curve, start)), Live(Words(point_words(self.curve, start)))
        self.raw_means = Live(self._means(start))
        self.slider: Any = self._slider(start) if live else None
        self.controls = Controls(self.slider, STILL)

    def follow(self, district: str, title: str, spec: Spec) -> None:
        """Show the curve of another choice, from that choice's own point on."""
        if (district, spec) == self.asked:
            return
        same = district == self.asked[0] and spec in self.curve.specs
        self.asked = district, spec
        self.curve = self.curve.asking(spec) if same else self.curve_of(district, title, spec)
        place = self.curve.specs.index(spec)
        if self.slider is not None:
            with self._silent():
                self.slider.options, self.slider.index = self._labels(), place
        self.show(place)

    def show(self, place: int) -> None:
        """Ring a point and show its raw means."""
        self.sentence.put(Words(point_words(self.curve, place)))
        self.raw_means.put(self._means(place))
        self.picture.put(draw(self.curve, place))

    def _means(self, place: int) -> Exhibit:
        district, _ = self.asked
        return means(glance(self.data, treated_of(self.data, district), self.curve.specs[place]))

    def _labels(self) -> list[tuple[str, int]]:
        values = self.curve.frame["estimate_pp"]
        return [(f"{place + 1} of {len(values)}: {points(value)}", place) for place, value in enumerate(values)]

    def _slider(self, start: int) -> Any:
        from ipywidgets import SelectionSlider

        slider = SelectionSlider(
            description="Point", options=self._labels(), index=start, continuous_update=False, layout={"width": "45rem", "max_width": "100%"}
        )  # fmt: skip
        slider.observe(self._moved, names="value")
        return slider

    def _moved(self, change: Any) -> None:
        self.show(int(change["new"]))

    @contextmanager
    def _silent(self) -> Iterator[None]:
        """Change the slider without it calling back."""
        self.slider.unobserve(self._moved, names="value")
        try:
            yield
        finally:
            self.slider.observe(self._moved, names="value")
