"""The explorer of `notebooks/40_explore.ipynb`: choices as widgets, and what each choice shows."""

from functools import lru_cache
from typing import Any

import pandas as pd

from leapstudy.batch.choices import Tools
from leapstudy.core.errors import BadInput
from leapstudy.core.live import Controls, Live
from leapstudy.core.names import ALL_SLUG, Comparison, Scale, Weights, options
from leapstudy.core.phrases import capital, number
from leapstudy.core.table import table_html
from leapstudy.data import StudyData, treated_districts
from leapstudy.data.names import comparison_words, outcome_words, short, study_names, unit_noun, unit_nouns, unit_of
from leapstudy.data.state import Unit
from leapstudy.did.answering import OneContrast, all_name
from leapstudy.did.comparison import comparison_label
from leapstudy.did.contrasts import Clock, Contrast
from leapstudy.did.design import Spec
from leapstudy.explore.curve import View, Walk, Words, look
from leapstudy.figures.plain import choice

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
