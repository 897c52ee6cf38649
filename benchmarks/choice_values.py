"""Legal values of every parameter that a notebook or the SIMULATED state reads, and a workspace of each study."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import yaml

from leapstudy.core import names
from leapstudy.core.names import ALL_SLUG
from leapstudy.data import StudyData, treated_districts
from leapstudy.did.comparison import comparison_codes
from leapstudy.students.eligible import Outcome, Stratum
from leapstudy.students.referral_rule import WINDOWS
from leapstudy.students.simulate.config import EffectPath, Pick, ReferralRule
from leapstudy.study.rollout.choices import Track

PUBLIC, POOLED, EXPLORE = "10", ALL_SLUG, "40-explore"
OWN, ROLLOUT, CLAIMS = "50-your-own-analysis", "60-plan-a-rollout", "01-the-claims"
NOTEBOOKS = ("00-start-here", CLAIMS, "02-the-data", PUBLIC, POOLED, EXPLORE, OWN, ROLLOUT)
DISTRICTS = 15
# Codes in the longest comparison group chosen by hand.
MANY = 8
# A covariate file of one's own, which `workspace` writes from the study's own table of units.
COVARIATES = "data/covariates.csv"
# Values of the student track: its own parameters, and what the SIMULATED state (`part__key`) is made by.
STUDENTS = {
    "min_comparison": [1, 6, 200],
    "early": [[6, 4], [1, 1], [12, 1]],
    "months_after": [1, 9, 24],
    "seed": [0, 20261124],
    "visits__rule": [*get_args(ReferralRule)],
    "visits__pick": [*get_args(Pick)],
    "effect__path": [*get_args(EffectPath)],
    "visits__completed": [0.3, 1.0],
    "visits__share": [0.02, 0.4],
    "visits__first": ["2021-07", "2022-05"],
    "absence__month_sd": [0.0, 0.6],
    "attrition__monthly": [0.0, 0.05],
    "districts": [{"0640011": 500, "1630011": 60}, {"0640011": 150}, {"0640011": 20, "0770011": 400, "1630011": 300}],
}
# Values of the notebook that plans a rollout: its parameters, and those of `params/rollout.yml` (`part__key`).
PLANNED = {
    "track": [*get_args(Track)],
    "dollars": [500_000, 1200, 50_000_000],
    "months_after": [5, 2],
    "eligible__students__window": [*WINDOWS[1:4], WINDOWS[0]],
    "eligible__students__percent": [10, 0, 30],
    "strata__students": [["district_code"], [], *([one] for one in get_args(Stratum)[1:])],
    "budget__met": [0.85, 0.05, 1.0],
    "budget__matters_pp": [4, 0.1, 50, {"attendance": 4, "attendance_rate": 1, "chronic_absence": 6}],
    "scenarios__offered": [[0.1, 0.25, 0.5], [0.02], [0.9]],
    "scenarios__phases": [[1, 2], [1]],
    "scenarios__students": [[*get_args(Outcome)], *([one] for one in get_args(Outcome))],
    "scenarios__deals": [100],
}
# Values at the end of what is legal, which few other values go with: each is asked alone.
ALONE = {
    ROLLOUT: {
        "eligible__students__window": [WINDOWS[-1]],
        "scenarios__phases": [[6]],
        "dollars": [0],
        "months_after": [1, 24],
        "eligible__students__percent": [100],
        "scenarios__offered": [[0.001]],
        "eligible__units": [{"chronic_absence": {"at_least": 101}}, {}],
    },
}


def legal_values(data: StudyData, slug: str, declared: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the legal values of the parameters that a notebook declares, the usual one first.

    Of units beyond `DISTRICTS` only one of each start and kind is dealt; `lone` has the others. The usual value is
    named, not left empty: a batch fills in what is empty before a notebook sees it.
    """
    state = data.state
    codes = comparison_codes(data, state.usual("groups"))
    by_hand = [",".join(codes[:2]), ",".join(codes[3:6]), ",".join(codes[:MANY])]
    groups = [*_usual_first(state.groups, state.usual("groups")), *by_hand]
    if slug == ROLLOUT:
        return PLANNED if data.state.claims is not None else {"track": PLANNED["track"], "dollars": PLANNED["dollars"]}
    if slug == OWN:
        return {"covariates_path": ["", COVARIATES], "covariate": ["", *_columns(data)], "wider": ["", *groups]}
    districts = [name for name in _treated(data) if name not in lone(data)]
    values = {
        "district": [*districts, *([ALL_SLUG] if slug == EXPLORE else [])],
        "comparison": groups,
        "contrast": _usual_first(state.contrasts, state.usual("contrasts")),
        "edition": _usual_first(state.editions, state.usual("editions")),
        "outcome": _usual_first(state.outcomes, state.usual("outcomes")),
        "weights": [*get_args(names.Weights)],
        "scale": [*get_args(names.Scale)],
        "prior": [*get_args(names.PriorName)],
        "seed": [0, 20261124],
        "tolerance_points": [0.5, 0.0, 0.1, 100],
    }
    return {name: values[name] for name in declared if name in values}


def lone(data: StudyData) -> list[str]:
    """Return the units that are not dealt: beyond `DISTRICTS`, those whose start and kind another one has."""
    first = dict[Any, str]()
    for name, kind in _treated(data).items():
        first.setdefault(kind, name)
    return [] if len(_treated(data)) <= DISTRICTS else [name for name in _treated(data) if name not in first.values()]


def _treated(data: StudyData) -> dict[str, tuple[Any, ...]]:
    """Return the slug of each treated unit with its start and whatever rules of comparison groups look at."""
    items = treated_districts(data.districts)
    looked_at = [column for group in data.state.groups.values() for column in group.where if column in data.districts]
    rows = data.districts.set_index("district_code")[[*dict.fromkeys(looked_at)]]
    return {item.slug: (data.starts[item.code], *map(str, rows.loc[item.code])) for item in items}


def _usual_first(legal: Mapping[str, Any], usual: str) -> list[str]:
    return sorted(legal, key=lambda name: name != usual)


def _columns(data: StudyData) -> list[str]:
    """Return the covariates that the study's own table of units has figures of."""
    known = [*(trait.column for trait in data.state.unit.traits.values()), data.state.unit.students]
    return [name for name in known if data.districts[name].notna().any()]


# The studies of `tests/states`, which borrow Connecticut's plan of a rollout.
STATES = ("ma", "md")


def workspace(study: str, root: Path) -> None:
    """Make a study a workspace of its own, so that no choice touches this one."""
    own = Path(__file__).resolve().parents[1]
    there = own / "tests" / "states" / study
    home = there if there.is_dir() else own
    for name in ("data", "params"):
        shutil.copytree(home / name, root / name)
    shutil.copytree(own / "notebooks", root / "notebooks")
    shutil.copytree(own / "data" / "examples", root / "data" / "examples", dirs_exist_ok=True)
    for name in ("students.yml", "simulation.yml", "rollout.yml"):
        shutil.copy(own / "params" / name, root / "params")


def of_this_study(data: StudyData, root: Path) -> list[str]:
    """Return the notebooks that a study has, and give it a covariate file and a rule of who may be drawn.

    A study without claims has no notebook about them.
    """
    columns = _columns(data)
    data.districts[["district_code", *columns]].iloc[1:].to_csv(root / COVARIATES, index=False)
    given: dict[str, Any] = {"scenarios__units": [*data.state.outcomes][:2], "scenarios__deals": 100}
    if root.name in STATES:  # Connecticut's file has a rule of its own
        year = max(data.chronic["year"]) if not data.chronic.empty else max(data.attendance["year"])
        outcome = "chronic_absence" if "chronic_absence" in data.state.outcomes else data.state.usual("outcomes")
        given["eligible__units"] = {f"{outcome} {year}": {"at_least": 10}}
    change(root / "params" / "rollout.yml", given)
    return [slug for slug in NOTEBOOKS if slug != CLAIMS or data.state.claims is not None]


def change(file: Path, given: Mapping[str, Any]) -> None:
    """Write `part__key` values into a parameter file that has those keys."""
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    for key, value in given.items():
        *parts, last = key.split("__")
        target = content
        for part in parts:
            target = target[part]
        if last in target:
            target[last] = value
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
