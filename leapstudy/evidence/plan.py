"""The plan of record, frozen by hash, and every deviation of a run from it.

The plan itself is `params/plan.yml`, which `leapstudy.batch` reads; the functions here take its mapping. It was written
after the state's figures were public and is therefore no preregistration. It says so, and so do the pages.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import Field

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.estimate import Estimate
from leapstudy.core.parameter_file import Day, Part, checked_part
from leapstudy.did.contrasts import Contrast, years_label
from leapstudy.did.nested import DEALT

# What was added after the plan was frozen: no part of it, and so outside its hash; each says when, what and why.
ADDITIONS = "additions"


class Addition(Part):
    """An analysis that came after the plan."""

    when: str
    what: str
    why: str


class Plan(Part):
    """The parts of `params/plan.yml`; what is planned and which departures are foreseen, by parameter of the study."""

    frozen: str
    written: Annotated[Day, Field(min_length=1)]
    status: str
    question: str
    estimand: str
    assumption: str
    planned: dict[str, str | int]
    sensitivity: dict[str, tuple[str | int, ...]]
    inference: dict[str, Any]
    exclusions: tuple[str, ...]
    hypotheses: tuple[str, ...]
    threshold_pp: Annotated[float, Field(gt=0)]
    additions: tuple[Addition, ...] = ()


REQUIRED = tuple(name for name, field in Plan.model_fields.items() if field.is_required())
# Parameters that change the draws, not the question.
HARMLESS = ("seed",)

PLANNED_ESTIMATORS = ("did", "did_logodds")
# What the plan's `inference` names; every other estimator and test came later.
PLANNED_TESTS = (
    "permutation",
    *DEALT,
    "studentized_noise",
    "studentized_enrollment",
    "benjamini_hochberg",
    "romano_wolf",
)

Kind = Literal["planned sensitivity", "other draws", "exploratory"]
Standing = Literal["as planned", "planned sensitivity", "exploratory"]


@dataclass(frozen=True, slots=True)
class Deviation:
    """One parameter of a run that is not the planned one."""

    key: str
    planned: str
    used: str
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanCheck:
    """A run held against the plan of record.

    `standing` is "as planned", "planned sensitivity" or "exploratory": the weakest of the run's deviations. `additions`
    are the analyses that came after the plan, in words; their rows are exploratory. `content` is the plan in full.
    """

    status: str
    plan_sha256: str
    deviations: tuple[Deviation, ...]
    standing: Standing
    additions: tuple[str, ...] = ()
    content: tuple[tuple[str, str], ...] = ()


def plan_hash(plan: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the plan but for `frozen` and later additions; order and line breaks do not matter."""
    content = {key: value for key, value in plan.items() if key not in ("frozen", ADDITIONS)}
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False, default=str).encode()).hexdigest()


def check_frozen(plan: Mapping[str, Any]) -> str:
    """Return the plan's hash after checking that the plan is whole and unchanged since it was frozen.

    Raises
    ------
    BadInput
        If a part is missing, unknown or of another kind, or the text differs from what `frozen` was made from.
    """
    missing = [key for key in REQUIRED if key not in plan]
    if missing:
        raise BadInput(f"The plan lacks {', '.join(missing)}. See params/plan.yml.")
    for key in plan:
        if key not in (*REQUIRED, ADDITIONS):
            raise bad_value("part of the plan", key, (*REQUIRED, ADDITIONS))
    checked_part(plan, Plan, "plan.yml")
    digest = plan_hash(plan)
    if not plan["frozen"]:
        raise BadInput(f"The plan is not frozen yet. Once it is whole, write its hash into it: frozen: {digest!r}.")
    if plan["frozen"] != digest:
        raise BadInput(
            f"The plan was changed after it was frozen: it says {plan['frozen']!r}, its text gives {digest!r}. "
            "Undo the change, or write the new hash and name the change in CHANGELOG.md."
        )
    return digest


Period = Literal["month", "school year"]


def period_begin(period: str, kind: Period) -> date:
    """Return the first day of a month, or of a school year: in August the first schools begin.

    Examples
    --------
    >>> str(period_begin("2032-02", "month")), str(period_begin("2031-32", "school year"))
    ('2032-02-01', '2031-08-01')
    """
    year, part = int(period[:4]), int(period[5:])
    return date(year, 8 if kind == "school year" else part, 1)


def period_end(period: str, kind: Period) -> date:
    """Return the last day of a month (``2032-09``) or of a school year (``2031-32``, which ends in June).

    Examples
    --------
    >>> str(period_end("2032-02", "month")), str(period_end("2031-32", "school year"))
    ('2032-02-29', '2032-06-30')
    """
    year, part = int(period[:4]), int(period[5:])
    if kind == "school year":
        return date(year + 1, 6, 30)
    return date(year + part // 12, part % 12 + 1, 1) - timedelta(days=1)


def age(written: date, decided: str, newest: str, kind: Period) -> str:
    """Say whether a plan is older than the newest figure that it will use.

    Parameters
    ----------
    written
        Date of the plan.
    decided
        The last period before the decision, month or school year: figures after it are those that the plan uses.
    newest
        The newest period that there are figures of.
    kind
        What periods are.

    Examples
    --------
    >>> age(date(2034, 1, 31), "2031-32", "2032-33", "school year")[:38]
    'The plan of 2034-01-31 is younger than'
    """
    if newest <= decided:
        return f"The plan is older than every figure that it will use: figures reach {newest}, it uses later ones."
    if written <= period_end(newest, kind):
        return f"The plan of {written} is older than the newest figure that it uses, {newest}."
    return f"The plan of {written} is younger than the newest figure that it uses, {newest}: it is no preregistration."


def deviations(plan: Mapping[str, Any], params: Mapping[str, Any], waiting: str = "") -> tuple[Deviation, ...]:
    """List every parameter of a run that differs from the plan, in the plan's order.

    A parameter that the plan does not know (district, result path) is no deviation; one that the run does not give
    is taken as planned. A comparison group given as a list of codes is always exploratory. Where lots decided who
    starts, those who wait (`waiting`, by the group's name) are the draw's own comparison, whatever the plan says: they
    alone are as planned, so that nobody picks between two after seeing figures.
    """
    departures = []
    for key, plan_value in plan["planned"].items():
        standard = waiting if key == "comparison" and waiting else plan_value
        value = params.get(key, standard)
        if str(value) != str(standard):
            departures.append(Deviation(key, str(standard), _text(value), _kind(plan, key, value)))
    return tuple(departures)


def _text(value: Any) -> str:
    return ", ".join(str(item) for item in value) if isinstance(value, list | tuple) else str(value)


def _kind(plan: Mapping[str, Any], key: str, alternative: Any) -> Kind:
    if key in HARMLESS:
        return "other draws"
    alternatives = {str(value) for value in plan["sensitivity"].get(key, ())}
    return "planned sensitivity" if str(alternative) in alternatives else "exploratory"


def check_run(plan: Mapping[str, Any], params: Mapping[str, Any], waiting: str = "") -> PlanCheck:
    """Hold a run's parameters against the frozen plan; see `check_frozen` for the errors, `deviations` for `waiting`.

    More than one departure at a time was not planned, even where each of them was: such a run is exploratory.
    """
    digest = check_frozen(plan)
    departures = deviations(plan, params, waiting)
    additions = tuple(f"{item['what']} ({item['when']}: {item['why']})" for item in plan.get(ADDITIONS, ()))
    return PlanCheck(
        status=str(plan["status"]),
        plan_sha256=digest,
        deviations=departures,
        standing=standing_of(departures),
        additions=additions,
        content=in_full(plan),
    )


def in_full(plan: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the frozen plan line by line, part and text; what was added later stands apart.

    Examples
    --------
    >>> in_full({"question": "Does it work?", "planned": {"seed": 1}, "hypotheses": ["Yes.", "No."]})
    (('question', 'Does it work?'), ('planned, seed', '1'), ('hypotheses 1', 'Yes.'), ('hypotheses 2', 'No.'))
    """
    lines: list[tuple[str, str]] = []
    for key, part in plan.items():
        if isinstance(part, Mapping):
            lines += [(f"{key}, {name}", _text(value)) for name, value in part.items()]
        elif isinstance(part, list) and key != ADDITIONS:
            lines += [(f"{key} {number}", str(item)) for number, item in enumerate(part, 1)]
        elif key != ADDITIONS:
            lines.append((key, str(part)))
    return tuple((label.replace("_", " "), text) for label, text in lines)


def standing_of(departures: Sequence[Deviation]) -> Standing:
    """Return the weakest standing of a run's deviations: two at a time were not planned, even where each was."""
    real = [item for item in departures if item.kind != "other draws"]
    if not real:
        return "as planned"
    return "planned sensitivity" if len(real) == 1 and real[0].kind == "planned sensitivity" else "exploratory"


def standings(
    plan: Mapping[str, Any],
    params: Mapping[str, Any],
    estimates: Iterable[Estimate],
    contrasts: Mapping[str, Contrast],
    waiting: str = "",
) -> pd.DataFrame:
    """Count a run's estimates by how they stand to the plan; see `deviations` for `waiting`.

    Returns
    -------
    DataFrame
        estimator, p_method, standing, rows. An estimator or a test that the plan does not name is exploratory.
    """
    names = {(years_label(item.pre), years_label(item.post)): name for name, item in contrasts.items()}
    rows = [(row.estimator, row.p_method, _standing(plan, params, row, names, waiting)) for row in estimates]
    table = pd.DataFrame(rows, columns=["estimator", "p_method", "standing"])
    return table.groupby(["estimator", "p_method", "standing"], sort=False).size().reset_index(name="rows")


def _standing(
    plan: Mapping[str, Any],
    params: Mapping[str, Any],
    row: Estimate,
    names: Mapping[tuple[str, str], str],
    waiting: str,
) -> Standing:
    if row.estimator not in PLANNED_ESTIMATORS or row.p_method not in PLANNED_TESTS:
        return "exploratory"
    choices = {
        "outcome": row.outcome,
        "comparison": row.comparison,
        "edition": row.edition,
        "contrast": names.get((row.pre or "", row.post or ""), ""),
    }
    return standing_of(deviations(plan, {**params, **choices}, waiting))
