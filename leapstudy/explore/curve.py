"""The specification curve to walk along: each point is a question that another analyst might have asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import pandas as pd

from leapstudy.core.live import Controls, Live
from leapstudy.core.phrases import between, counted, points
from leapstudy.data import StudyData
from leapstudy.data.names import comparison_short, contrast_words, outcome_unit, outcome_words, study_names
from leapstudy.data.state import load_state
from leapstudy.did.comparison import parse_comparison
from leapstudy.did.contrasts import Contrast, clock_of, years_label
from leapstudy.did.design import Spec
from leapstudy.did.sensitivity.specifications import specification_curve
from leapstudy.explore.ask import Words, treated_of
from leapstudy.figures.exhibit import Caption, Exhibit
from leapstudy.figures.specifications import specifications
from leapstudy.study.rollout.records import require_units_open

KEPT = 16
STILL = "Move along the curve while the notebook is open and running; below stands the question that was asked."


@dataclass(frozen=True, slots=True)
class Curve:
    """Every specification of one outcome for one district, by estimate: `specs[i]` made row i of `frame`.

    `frame` is what `did.sensitivity.specifications` gives, with `group` and `years` in words.
    """

    title: str
    specs: tuple[Spec, ...]
    frame: pd.DataFrame

    def asking(self, spec: Spec) -> "Curve":
        """Return the same curve with another of its specifications as the one that is asked."""
        without = self.frame["covariates"] == "without"
        return replace(
            self, frame=self.frame.assign(is_main=without & pd.Series([item == spec for item in self.specs]))
        )

    @property
    def start(self) -> int:
        """The place of the question asked; the first where it is none of the curve's (a placebo)."""
        return int(self.frame["is_main"].to_numpy().argmax())


def curve_of(data: StudyData, district: str, title: str, spec: Spec) -> Curve:
    """Fit every specification that the data can be asked for one district or for all; see `did.sensitivity`."""
    require_units_open(data)
    treated = treated_of(data, district)
    contrasts = clock_of(data.state, data.starts, treated).contrasts()
    rows = specification_curve(data, spec, treated).sort_values("estimate_pp", ignore_index=True)
    specs = tuple(_spec_of(row, spec) for row in rows.to_dict("records"))
    words = {
        "group": [comparison_short(name) for name in rows["comparison"]],
        "years": [_years(contrasts[item.contrast]) for item in specs],
    }
    return Curve(title, specs, rows.assign(**words))


def _spec_of(row: dict[Any, Any], headline: Spec) -> Spec:
    choices: dict[str, Any] = {name: row[name] for name in ("contrast", "weights", "edition", "scale")}
    return replace(headline, comparison=parse_comparison(row["comparison"], load_state()), **choices)


def _years(contrast: Contrast) -> str:
    return contrast_words(years_label(contrast.pre), years_label(contrast.post))


def point_words(curve: Curve, place: int) -> str:
    """Say which question a point asks, and its answer."""
    row = curve.frame.iloc[place]
    return (
        f"Point {place + 1} of {len(curve.specs)}: {points(row['estimate_pp'])} {outcome_unit(curve.specs[0].outcome)} "
        f"({between(row['low_pp'], row['high_pp'])}); "
        f"against {row['group']}, {row['years']}, weights {row['weights']}, {row['edition']} edition, {row['scale']}, "
        f"{row['covariates']} covariates."
    )


def draw(curve: Curve, place: int) -> Exhibit:
    """Draw every specification with one of them ringed."""
    spec = curve.specs[0]
    caption = Caption(
        what=f"Every way to ask for the effect on {outcome_words(spec.outcome)}; the ring is the point below",
        source=study_names().source(spec.outcome, spec.edition),
        sample=f"{curve.title} against each comparison group",
        years="as named at each row",
        n=counted(len(curve.specs), "specification"),
    )
    return specifications(curve.frame, caption, study_names().starts[0], spec.outcome, place=place)


class Walk:
    """The curve, a slider under it, and what the point under the slider shows.

    Attributes
    ----------
    controls : Controls
        The slider, with words in its place where there is none.
    picture, sentence : Live
        Every specification with the point ringed, and the point in words.
    """

    def __init__(self, data: StudyData, district: str, title: str, spec: Spec, *, live: bool = True) -> None:
        """Start at the question asked; parameters as in `Explorer`, `title` is the district's name."""
        self.data, self.asked = data, (district, spec)
        self.curve_of = lru_cache(maxsize=KEPT)(partial(curve_of, data))
        self.curve: Curve = self.curve_of(district, title, spec)
        start = self.curve.start
        self.picture, self.sentence = Live(draw(self.curve, start)), Live(Words(point_words(self.curve, start)))
        self.slider: Any = self._slider(start) if live else None
        self.controls = Controls(self.slider, STILL)

    def follow(self, district: str, title: str, spec: Spec) -> None:
        """Show the curve of another choice, from that choice's own point on."""
        if (district, spec) == self.asked:
            return
        same = district == self.asked[0] and spec in self.curve.specs
        self.asked = district, spec
        self.curve = self.curve.asking(spec) if same else self.curve_of(district, title, spec)
        place = self.curve.start
        if self.slider is not None:
            with self._silent():
                self.slider.options, self.slider.index = self._labels(), place
        self.show(place)

    def show(self, place: int) -> None:
        """Ring a point and say its answer."""
        self.sentence.put(Words(point_words(self.curve, place)))
        self.picture.put(draw(self.curve, place))

    def _labels(self) -> list[tuple[str, int]]:
        values = self.curve.frame["estimate_pp"]
        return [(f"{place + 1} of {len(values)}: {points(value)}", place) for place, value in enumerate(values)]

    def _slider(self, start: int) -> Any:
        from ipywidgets import SelectionSlider

        slider = SelectionSlider(
            description="Point",
            options=self._labels(),
            index=start,
            continuous_update=False,
            layout={"width": "45rem", "max_width": "100%"},
        )
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
