"""What a notebook calls: one question in, everything that is known about it out."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from itertools import product
from typing import Any, Generic, TypeVar

import pandas as pd

from leapstudy.core import paths
from leapstudy.core.errors import BadInput, attempt, bad_value
from leapstudy.core.estimate import Estimate
from leapstudy.core.names import ALL_DISTRICTS, ALL_SLUG
from leapstudy.core.parameter_file import read_choices, read_mapping
from leapstudy.data import District, Facts, StudyData, copied, find_district, kept_study, load_facts
from leapstudy.data.describe import raw_means
from leapstudy.data.names import short
from leapstudy.data.state import load_state
from leapstudy.did.answer import DistrictAnswer, PooledAnswer
from leapstudy.did.answering import answer_all, answer_district, read_together
from leapstudy.did.comparison import comparison_codes, comparison_label, parse_comparison
from leapstudy.did.contrasts import clock_of
from leapstudy.did.design import Spec, build_panel
from leapstudy.did.nested import LOTTERY
from leapstudy.did.shrinkage import Prior, published_prior
from leapstudy.evidence.assess import Evidence, assess
from leapstudy.evidence.cost import program
from leapstudy.evidence.plan import PlanCheck, check_frozen, check_run, standings
from leapstudy.study.over_years import OverYears, Screen, flagged_years, over_years, screen_of
from leapstudy.study.result import made, save_result
from leapstudy.study.rollout.records import Lots, lots_told, require_units_open

AnswerT = TypeVar("AnswerT", DistrictAnswer, PooledAnswer)


@dataclass(frozen=True, slots=True, repr=False)
class Study(Generic[AnswerT]):
    """An answered question: the data it rests on, the answer, and what the answer is worth."""

    data: StudyData
    district: District
    spec: Spec
    answer: AnswerT
    evidence: Evidence
    plan: PlanCheck
    standings: pd.DataFrame
    years: OverYears | None
    screen: Screen | None
    lots: Lots | None = None

    def __repr__(self) -> str:
        """Return the answer and its verdict in a few lines."""
        return f"{self.answer!r}\n  Verdict     {self.evidence.verdict.kind}: {self.evidence.verdict.reasons[0]}"

    @property
    def params(self) -> dict[str, Any]:
        """The question as parameters."""
        return params_of(self.spec)

    def save(self, result_path: str) -> None:
        """Write the result file; an empty path writes nothing."""
        save_result(result_path, made=made(self.data.hashes), **self.parts)

    @property
    def parts(self) -> dict[str, Any]:
        """What the result file holds but for how it was made."""
        extra: tuple[Estimate, ...] = self.screen.headline_without if self.screen else ()
        return {
            "track": "public",
            "district": self.district,
            "params": self.params,
            "estimates": (*self.answer.estimates, *(self.years.estimates if self.years else extra)),
            "blocks": {
                "answer": self.answer,
                "evidence": self.evidence,
                "plan": self.plan,
                "standings": self.standings,
                "years": self.years,
                **({"screen": self.screen} if self.screen else {}),
                **({"lots": self.lots} if self.lots else {}),
            },
        }


def read_ahead() -> None:
    """Read, screen and lay out what every question of the workspace needs: kernels forked from this process have it."""
    data = kept_study()
    load_plan()
    flagged_years(data)
    made(data.hashes)
    for outcome, edition in product(data.state.outcomes, data.state.editions):
        with suppress(BadInput):  # told to whoever asks for it
            build_panel(data, outcome, edition)
            raw_means(data, edition, outcome)
    for group in data.state.groups:
        with suppress(BadInput):
            comparison_codes(data, group)
    with suppress(BadInput):  # every district's page reads its p-value among the others'
        require_units_open(data)
        read_together(data, ask())


def params_of(spec: Spec) -> dict[str, Any]:
    """Return a spec as the parameters that ask for it."""
    return {**asdict(spec), "comparison": comparison_label(spec.comparison)}


def load_plan() -> dict[str, Any]:
    """Return the plan of record, `params/plan.yml`.

    Raises
    ------
    BadInput
        As `plan.check_frozen`, and for a plan, or a departure that it foresees, that the study cannot be asked.
    """
    plan, state = read_mapping(paths.params() / "plan.yml"), load_state()
    check_frozen(plan)
    legal: dict[str, Collection[Any]] = {
        "outcome": state.outcomes,
        "contrast": state.contrasts,
        "edition": state.editions,
    }
    names = tuple(field.name for field in fields(Spec))
    alternatives = [(key, value) for key, values in plan["sensitivity"].items() for value in values]
    for key, value in [*plan["planned"].items(), *alternatives]:
        if key not in names:
            raise bad_value("parameter in plan.yml", key, names)
        if value not in legal.get(key, (value,)):
            raise bad_value(f"{key} in plan.yml", value, legal[key], "params/state.yml declares them.")
        ask(**{key: value})
    return plan


def ask(**names: Any) -> Spec:
    """Return the spec that a notebook's parameters ask for; an empty one is what `params/study.yml` says.

    See `Spec` for the names.
    """
    answers = {name: value for name, value in names.items() if not (isinstance(value, str) and value == "")}
    values = {**chosen(), **answers}
    return Spec(**{**values, "comparison": parse_comparison(values["comparison"], load_state())})


def chosen() -> dict[str, Any]:
    """Return what `params/study.yml` chooses, by parameter; the comparison is the usual one where it says none."""
    path, legal = paths.params() / "study.yml", [field.name for field in fields(Spec)]
    return {"comparison": load_state().usual("groups"), **(read_choices(path, legal) if path.is_file() else {})}


def study_district(district: str, **names: Any) -> Study[DistrictAnswer]:
    """Answer the question for one district.

    Parameters
    ----------
    district
        Slug, name or code.
    **names
        `comparison`, `contrast`, `edition`, `outcome`, `weights`, `scale`, `seed`, `prior`, as in params/study.yml.

    Raises
    ------
    BadInput
        For a district or name that is not legal, or a question that the data cannot be asked.
    """
    data, facts, spec = kept_study(), load_facts(), ask(**names)
    require_units_open(data)
    place = find_district(data.districts, district)
    return _study(data, facts, place, answer_district(data, place.code, spec), load_plan())


def study_all(*, robust: bool = True, **names: Any) -> Study[PooledAnswer]:
    """Answer the question for all treated districts together; names as in `study_district`.

    The effect that would matter is the plan's; comparable programs' effects times coverage are the published prior.
    Without `robust` the bounds that let trends depart are left out, and the answer says so.
    """
    data, facts, spec, plan = kept_study(), load_facts(), ask(**names), load_plan()
    require_units_open(data)
    prior = known_prior(data, facts) if data.state.outcomes[spec.outcome].in_days else None  # it is of attendance
    answer = answer_all(data, spec, float(plan["threshold_pp"]), prior, robust=robust)
    return _study(data, facts, District(ALL_DISTRICTS, answer.district, ALL_SLUG), answer, plan, robust)


def known_prior(data: StudyData, facts: Facts) -> Prior | None:
    """Return what comparable programs say of the mean effect; None where no such effect or no coverage is published."""
    figures = program(data, facts)
    if figures is None or facts.comparable_programs.empty:
        return None
    return published_prior(facts.comparable_programs, figures.coverage)


def _study(
    data: StudyData, facts: Facts, district: District, answer: AnswerT, plan: dict[str, Any], robust: bool = True
) -> "Study[AnswerT]":
    params, place = params_of(answer.spec), (district.code, short(district.name))
    # none where the study declares no such outcome, or this cannot be asked of it
    years, _ = attempt(over_years, data, answer.spec, *place, robust=robust)
    codes = list(data.starts) if district.code == ALL_DISTRICTS else [district.code]
    return Study(
        copied(data),
        district,
        answer.spec,
        answer,
        assess(data, facts, answer),
        check_run(plan, params, data.state.waiting),
        standings(
            plan,
            params,
            answer.estimates,
            clock_of(data.state, data.starts, codes).contrasts(),
            data.state.waiting,
        ),
        years,
        screen_of(data, answer.spec, district.code, years),
        lots_told(data.state, data.starts) if answer.main.p_method == LOTTERY else None,
    )
