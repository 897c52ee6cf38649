"""The explorer of `notebooks/40_explore.ipynb`: choices as widgets, what each shows, and the specification curve to
walk.

What is shown of a choice comes from the same functions as the batch's answer. Each point of the curve is a question
that another analyst might have asked.
"""

import math
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from html import escape
from typing import Any

import pandas as pd

from leapstudy.batch.choices import Tools
from leapstudy.core.errors import BadInput
from leapstudy.core.live import Controls, Live
from leapstudy.core.names import ALL_SLUG, Comparison, Scale, Weights, options
from leapstudy.core.phrases import between, capital, counted, number, points, probability
from leapstudy.core.table import table_html
from leapstudy.data import StudyData, treated_districts, treated_side
from leapstudy.data.names import (
    comparison_short,
    comparison_words,
    contrast_words,
    counted_units,
    outcome_unit,
    outcome_words,
    short,
    study_names,
    unit_noun,
    unit_nouns,
    unit_of,
)
from leapstudy.data.state import Unit, load_state
from leapstudy.did.answering import OneContrast, all_name, one_contrast
from leapstudy.did.comparison import comparison_label, parse_comparison
from leapstudy.did.contrasts import Clock, Contrast, clock_of, years_label
from leapstudy.did.design import Spec
from leapstudy.did.sensitivity.specifications import specification_curve
from leapstudy.figures.district import district as drawn
from leapstudy.figures.exhibit import Caption, Exhibit
from leapstudy.figures.ladder import specifications
from leapstudy.figures.permutation import permutation
from leapstudy.figures.plain import choice
from leapstudy.study.door import panel
from leapstudy.study.rollout.records import require_units_open
from leapstudy.words.findings import moved, treated_words
from leapstudy.words.sentences import LINE

DRAWN = 16
STILL_CURVE = "Move along the curve while the notebook is open and running; below stands the question that was asked."


@dataclass(frozen=True, slots=True)
class Words:
    """A sentence that a notebook shows and can replace; the same text for the eye, the page and the test."""

    text: str

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": textwrap.fill(self.text, LINE), "text/html": f"<p>{escape(self.text)}</p>"}


@dataclass(frozen=True, slots=True)
class View:
    """What a choice shows: the estimate in words, and the districts' moves of which it is one."""

    answer: OneContrast
    sentence: Words
    moves: Exhibit


def look(data: StudyData, slug: str, spec: Spec) -> View:
    """Answer one question and draw it.

    Raises
    ------
    BadInput
        If the question cannot be asked of the data, or before the planned day of a draw.
    """
    require_units_open(data)
    answer = one_contrast(data, treated_of(data, slug), spec)
    return View(answer, Words(estimate_words(answer)), moves(answer, slug))


def moves(answer: OneContrast, slug: str) -> Exhibit:
    """Draw one district's path and change among those of others; of several, the estimate among shuffled labels."""
    spec = answer.spec
    if answer.main.n_treated > 1:
        return permutation(answer)
    own_panel = panel(
        None if slug == ALL_SLUG else slug,
        comparison=spec.comparison,
        outcome=spec.outcome,
        contrast=spec.contrast,
        edition=spec.edition,
        weights=spec.weights,
        years="all",
    )
    return drawn(answer, own_panel)


def treated_of(data: StudyData, district: str) -> list[str]:
    """Return the codes of the treated side that a slug, name or code stands for."""
    return treated_side(data.districts, *([] if district == ALL_SLUG else [district]))


def estimate_words(answer: OneContrast) -> str:
    """Say the estimate with its interval, p-value, comparison and smallest detectable effect."""
    main = answer.main
    p = "" if main.p_value is None else f", {probability(main.p_value)}"
    much = moved(main.estimate_pp, main.outcome)
    return (
        f"{capital(treated_words(answer))}: {outcome_words(main.outcome)} changed {much} than in "
        f"{counted_units(main.n_comparison, 'comparison')} ({comparison_words(main.comparison)}); 95% CI "
        f"{between(main.ci_low_pp, main.ci_high_pp)}{p}. {_detectable_words(answer)}"
    )


def _detectable_words(answer: OneContrast) -> str:
    """Say what the preferred test could have detected."""
    half, most = answer.detectable.half_pp, answer.detectable.mde_pp
    if not math.isfinite(half):
        return "The preferred test could not detect any effect here, however large."
    often, unit = f", one of {number(most)} in 80%" if math.isfinite(most) else "", outcome_unit(answer.main.outcome)
    return f"An effect of {number(half)} {unit} would be detected in half of such studies{often}."


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
        self.curve_of = lru_cache(maxsize=DRAWN)(partial(curve_of, data))
        self.curve: Curve = self.curve_of(district, title, spec)
        start = self.curve.start
        self.picture, self.sentence = Live(draw(self.curve, start)), Live(Words(point_words(self.curve, start)))
        self.slider: Any = self._slider(start) if live else None
        self.controls = Controls(self.slider, STILL_CURVE)

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


PICKED = "picked"
WEIGHTS = {"equal": "each the same", "students": "by enrollment before the program"}
# Views that stay in memory, so that a choice made before is there at once.
KEPT = 64
STILL = "The controls work while the notebook is open and running; below stands what these choices show."


class Explorer:
    """Choices, and the places that show them; each attribute is the last line of a cell.

    Attributes
    ----------
    controls, saving : Controls
        The widgets, with words in their place where there are none.
    sentence, effect, moves, command : Live
        What the choice shows; `effect` beside the choice that was shown first.
    walk : Walk
        The specification curve of the same district and outcome.
    """

    def __init__(self, data: StudyData, district: str, spec: Spec, tools: Tools, *, live: bool = True) -> None:
        """Show the first choice."""
        self.data, self.tools = data, tools
        self.district, self.spec = district, spec
        self.titles = {item.slug: short(item.name) for item in treated_districts(data.districts)} | {
            ALL_SLUG: f"{all_name(data)} together"
        }
        self.look = lru_cache(maxsize=KEPT)(lambda slug, question: look(data, slug, question))
        first: View = self.look(district, spec)
        self.recorded = spec
        self.sentence, self.moves = Live(first.sentence), Live(first.moves)
        self.effect = Live(choice(first.answer, first.answer))
        self.command = Live(Words(tools.command(district, spec)))
        self.walk = Walk(data, district, self.titles[district], spec, live=live)
        self.fields = _fields(data, self.titles, district, spec) if live else {}
        self.controls = Controls(_stack(self.fields.values()), STILL, _still(self.titles[district], spec))
        self.saving = Controls(
            self._saving() if live else None,
            f"While the notebook runs, a button here saves the choice as params/districts/{district}.yml.",
        )
        for field in self.fields.values():
            field.observe(self._changed, names="value")

    def ask(self, district: str, spec: Spec) -> None:
        """Show another choice; where it cannot be asked, say why in every place."""
        self.district, self.spec = district, spec
        try:
            view: View = self.look(district, spec)
        except BadInput as reason:
            self._refuse(str(reason))
            return
        self.sentence.put(view.sentence)
        self.command.put(Words(self.tools.command(district, spec)))
        self.effect.put(choice(view.answer, self._on_record(view)))
        self.moves.put(view.moves)
        self.walk.follow(district, self.titles[district], spec)

    def _on_record(self, view: View) -> OneContrast:
        """Return the answer to the first question for this district; where it has none, the view's own."""
        try:
            first_view: View = self.look(self.district, self.recorded)
        except BadInput:
            return view.answer
        return first_view.answer

    def _refuse(self, reason: str) -> None:
        self.sentence.put(Words(f"This cannot be asked. {reason}"))
        for place in (self.command, self.effect, self.moves):
            place.put(Words("Nothing to show for this choice."))

    def chosen(self) -> tuple[str, Spec]:
        """Return the choice that the widgets show.

        Raises
        ------
        BadInput
            If it names no comparison district.
        """
        values = {name: field.value for name, field in self.fields.items()}
        district, codes = values.pop("district"), values.pop("table")
        comparison: Comparison = tuple(codes) if values["comparison"] == PICKED else values["comparison"]
        if not comparison:
            raise BadInput(f"The comparison list is empty. Mark at least two {unit_nouns()} in the table.")
        return district, Spec(**{**values, "comparison": comparison, "seed": self.spec.seed})

    def _changed(self, change: Any) -> None:
        self.fields["table"].disabled = self.fields["comparison"].value != PICKED
        self._name_scales()
        try:
            self.ask(*self.chosen())
        except BadInput as reason:
            self._refuse(str(reason))

    def _name_scales(self) -> None:
        """Name the scales in the unit of the outcome that is shown, without asking anything."""
        field, scales = self.fields["scale"], tuple(_scales(self.fields["outcome"].value).items())
        if scales == field.options:
            return
        value = field.value
        field.unobserve(self._changed, names="value")
        field.options, field.value = scales, value
        field.observe(self._changed, names="value")

    def _saving(self) -> Any:
        from ipywidgets import HTML, Button, Text

        reason = Text(description="Reason", placeholder="why this page is asked differently", layout={"width": "36rem"})
        button, message = Button(description="Save as parameters"), HTML()

        def save(_: Any) -> None:
            """Save what is shown, or say why it cannot be."""
            try:
                message.value = self.tools.save(self.district, self.spec, reason.value)
            except BadInput as error:
                message.value = str(error)

        button.on_click(save)
        return _stack([reason, button, message])


def candidates(data: StudyData) -> list[tuple[str, str]]:
    """Return (label, code) of every district without the program, to pick a comparison list from."""
    rows = data.districts[~data.districts["treated"]].sort_values("district")
    return [(_candidate(row, data.state.unit), str(row["district_code"])) for row in rows.to_dict("records")]


def _candidate(row: dict[Any, Any], unit: Unit) -> str:
    size = row[unit.students]
    parts = [short(str(row["district"])), f"{number(size, 0)} students" if pd.notna(size) else ""]
    parts += [
        f"{heading.casefold()} {row[column]}"
        for column, heading in unit.listed.items()
        if column != unit.students and pd.notna(row[column])
    ]
    return " · ".join(part for part in parts if part)


def _fields(data: StudyData, titles: dict[str, str], district: str, spec: Spec) -> dict[str, Any]:
    from ipywidgets import Dropdown, SelectMultiple

    by_name, state = isinstance(spec.comparison, str), study_names().state
    choices: dict[str, tuple[str, dict[str, str], str]] = {
        "district": (capital(unit_noun()), {title: slug for slug, title in titles.items()}, district),
        "outcome": ("Outcome", _outcomes(spec), spec.outcome),
        "comparison": ("Compared with", _comparisons(), str(spec.comparison) if by_name else PICKED),
        "contrast": ("Years", {item.label: name for name, item in _contrasts().items()}, spec.contrast),
        "edition": ("Edition", {name: name for name in state.editions}, spec.edition),
        "weights": ("Weights", {WEIGHTS[name]: name for name in options(Weights)}, spec.weights),
        "scale": ("Scale", _scales(spec.outcome), spec.scale),
    }
    looks = {"style": {"description_width": "8rem"}, "layout": {"width": "36rem", "max_width": "100%"}}
    widgets: dict[str, Any] = {
        name: Dropdown(description=label, options=list(legal.items()), value=value, **looks)
        for name, (label, legal, value) in choices.items()
    }
    widgets["table"] = SelectMultiple(
        description="The table",
        options=candidates(data),
        value=() if by_name else tuple(spec.comparison),
        rows=8,
        disabled=by_name,
        **looks,
    )
    return widgets


def _outcomes(spec: Spec) -> dict[str, str]:
    """Return the outcomes that can be asked in an edition's years, by their words."""
    outcomes = study_names().state.outcomes.items()
    return {item.words: name for name, item in outcomes if item.group or item.table or name == spec.outcome}


def _scale(outcome: str, scale: str) -> str:
    return "log-odds" if scale == "logodds" else unit_of(outcome, outcome_words(outcome))


def _scales(outcome: str) -> dict[str, str]:
    """Return the scales by their words."""
    return {_scale(outcome, name): name for name in options(Scale)}


def _contrasts() -> dict[str, Contrast]:
    names = study_names()
    return Clock(names.state, names.starts[:1]).contrasts()


def _comparisons() -> dict[str, str]:
    return {comparison_words(name): name for name in study_names().state.groups} | {
        "picked from the table below": PICKED
    }


def _stack(widgets: Any) -> Any:
    """Return the widgets one under the other, or None where there are none."""
    boxes = list(widgets)
    if not boxes:
        return None
    from ipywidgets import VBox

    return VBox(boxes)


def _still(title: str, spec: Spec) -> str:
    rows = [
        (capital(unit_noun()), title),
        ("Outcome", outcome_words(spec.outcome)),
        ("Compared with", comparison_words(comparison_label(spec.comparison))),
        ("Years", _contrasts()[spec.contrast].label),
        ("Edition", spec.edition),
        ("Weights", WEIGHTS[spec.weights]),
        ("Scale", _scale(spec.outcome, spec.scale)),
    ]
    return f"<p>{STILL}</p>" + table_html(pd.DataFrame(rows, columns=["Choice", "Value"]), "The choices shown below")
