"""The plan of a rollout, `params/rollout_plan.yml`: written from the choices, frozen by hash and date."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

import yaml

from leapstudy.core import paths
from leapstudy.core.errors import BadInput, attempt, bad_value
from leapstudy.core.files import write_text_atomic
from leapstudy.core.parameter_file import read_mapping
from leapstudy.data import StudyData, load_study
from leapstudy.evidence.plan import age, period_end, plan_hash
from leapstudy.students.eligible import Rule, months, school_months_after
from leapstudy.students.settings import StudentSettings, input_hashes, load_settings
from leapstudy.study.rollout import choices
from leapstudy.study.rollout.choices import Rollout, promised, size_for, two_questions
from leapstudy.study.rollout.eligibility import rates, students_before
from leapstudy.study.rollout.records import draws

FILE = "rollout_plan.yml"
ATTENDANCE = "attendance"
# Known only after the plan: where the seed comes from is announced, the number itself falls on a later day.
LATER = ("seed", "announced")

ANALYSIS = {
    "offer": "Effect of the offer (intention-to-treat), all drawn, by the efficient estimator for random starts (Roth "
    "and Sant'Anna 2023); p-value and 95% CI by randomization inference over the draw's own redraws; two-sided, 5%.",
    "visited": "Effect on those whom the offer moved (complier average causal effect), the offer as instrument; 95% CI "
    "of Anderson and Rubin.",
    "leavers": "Attrition against the boundary of the What Works Clearinghouse; Lee bounds where it is crossed.",
    "others": "Every other outcome is secondary and corrected together (Holm).",
}
ANALYSIS_OF_UNITS = {
    "offer": "Effect of the offer (intention-to-treat), all drawn: the contrast of params/plan.yml within the lots' "
    "own strata; p-value by randomization inference over the draw's own redraws; two-sided, 5%.",
    "precise": "Beside it the efficient estimate for random starts (Roth and Sant'Anna 2023), on which detectable "
    "effects of `leapstudy design` rest; p-value and 95% CI by the same redraws. Where the two part, both are told.",
    "leavers": "Attrition against the boundary of the What Works Clearinghouse.",
    "others": ANALYSIS["others"],
}
HEAD = (
    "# Written by `leapstudy plan` from params/rollout.yml. `frozen` is the SHA-256 of everything else in this file.\n"
)


def known_months() -> tuple[str, ...]:
    """Return the school months of the students' files, which are opened once: a command asks several times."""
    return _months_of(tuple(input_hashes().items()))


@lru_cache(maxsize=4)
def _months_of(hashes: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    return months(students_before())


def newest_period(track: str, outcome: str) -> str:
    """Return the newest month of the files of students, or the newest school year of an outcome of units."""
    if track == "students":
        return known_months()[-1]
    return str(rates(load_study(started=False), outcome).columns[-1])


def freeze(lottery: Rollout, reason: str) -> dict[str, Any]:
    """Write and freeze the plan, and return it.

    Raises
    ------
    BadInput
        If a draw was made already, or there is a plan and no reason for another one; if a phase of students starts
        outside the months that the plan measures over, one of units in a year that has figures already, or outcomes
        open before what is measured is over.
    """
    old = kept_plan()
    if draws():
        raise BadInput(
            "The draw has been made: a plan cannot be changed after it. What differs is told as a deviation."
        )
    if old and not reason.strip():
        raise BadInput(
            f"A plan was frozen on {old['written']} already. Say why it changes: `leapstudy plan --freeze --reason "
            "TEXT`; the reason and the old plan's hash stay in the new one."
        )
    last, plan_months = _period(lottery)
    content = {
        "written": f"{datetime.now(UTC):%Y-%m-%d}",
        "replaces": old["frozen"] if old else "",
        "reason": reason.strip(),
        "decided_after": last,
        **({"months": list(plan_months)} if plan_months else {}),
        "choices": _choices(lottery),
        "analysis": ANALYSIS if lottery.track == "students" else ANALYSIS_OF_UNITS,
    }
    content = {"frozen": plan_hash(content), **content}
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)
    write_text_atomic(paths.params() / FILE, HEAD + text)
    return content


def _period(lottery: Rollout) -> tuple[str, tuple[str, ...]]:
    """Return the period after which is decided and, of students, the months that are measured; refuse as `freeze`."""
    if lottery.track == "students":
        file_months = known_months()
        last = lottery.eligible.students.month or file_months[-1]
        plan_months = school_months_after(file_months, last, lottery.followed)
        _require_months(lottery, last, plan_months)
        return last, plan_months
    if not lottery.analysis_from:
        raise BadInput(f"`analysis_from:` in params/{choices.FILE} names no day until which outcomes stay closed.")
    last = newest_period(lottery.track, lottery.outcome)
    _require_years(lottery, last)
    return last, ()


def why_not_frozen(track: str) -> str:
    """Return why a plan of params/rollout.yml would not be frozen; empty where it would, is, or is of another track."""
    lottery = choices.load_rollout()
    return "" if lottery.track != track or kept_plan() else attempt(_period, lottery)[1]


def planned_months(plan: dict[str, Any], known: Sequence[str]) -> tuple[str, ...]:
    """Return the school months over which a frozen plan of students measures, whether or not they have come.

    Parameters
    ----------
    plan
        As `kept_plan` returns it; one that was frozen before plans named their months gives only how many.
    known
        The school months of the files, in order, such as ``2032-06``.
    """
    if "months" in plan:
        return tuple(plan["months"])
    return school_months_after(known, plan["decided_after"], plan["choices"]["months_after"])


def _require_months(lottery: Rollout, decided_after: str, plan_months: Sequence[str]) -> None:
    """Refuse a plan that measures before its visits begin, or opens outcomes before its months are over."""
    rollout = load_settings().rollout
    span = f"the {lottery.followed} school months after {decided_after}, {plan_months[0]} to {plan_months[-1]}"
    for phase, start in lottery.starts(rollout.starts).items():
        if not decided_after < start <= plan_months[-1]:
            raise BadInput(
                f"Phase {phase!r} starts in {start}, and the plan measures over {span}. Let it start within them, or "
                f"change `months_after:` in params/{choices.FILE}."
            )
    opens, over = promised(rollout)[0], period_end(plan_months[-1], "month")
    if opens is None or opens <= over:
        raise BadInput(
            f"Outcomes by who was drawn open on {opens or 'no day'}, and the plan measures over {span}. Give a day "
            f"after {over} as `analysis_from:` in params/{choices.FILE}; `outcomes_from:` in params/students.yml goes "
            "before it."
        )


def _require_years(lottery: Rollout, newest: str) -> None:
    """Refuse a plan of units whose first years have figures already, or that opens outcomes before they are over."""
    if phases := [phase for phase in lottery.phases if phase <= newest]:
        raise BadInput(
            f"Phase {phases[0]!r} starts in a school year of which there are figures already: they reach {newest}. Let "
            f"every phase in params/{choices.FILE} start later."
        )
    over = period_end(max(lottery.phases), "school year")
    if date.fromisoformat(lottery.analysis_from) <= over:
        raise BadInput(
            f"Outcomes by who was drawn open on {lottery.analysis_from}, before the last phase's first year ends on "
            f"{over}. Give a day after it as `analysis_from:` in params/{choices.FILE}."
        )


def _choices(lottery: Rollout) -> dict[str, Any]:
    return lottery.model_dump(mode="json", exclude={*LATER, "scenarios"})


def kept_plan() -> dict[str, Any]:
    """Return the frozen plan; empty where there is none.

    Raises
    ------
    BadInput
        If it was changed after it was frozen.
    """
    file = paths.params() / FILE
    if not file.is_file():
        return {}
    plan = read_mapping(file)
    if plan.get("frozen") != plan_hash(plan):
        raise BadInput(f"{file.name} was changed after it was frozen. Restore it from version control.")
    return plan


def check_rollout() -> None:
    """Read what is decided before a program starts, its plan and the draws; nothing where no program is planned.

    Raises
    ------
    BadInput
        As `load_rollout`, `plan_for`, `records.draws`, `require_table`, `require_one_question`: a frozen plan and the
        choices may not differ, and the primary outcome must be among those that the files hold.
    """
    if (paths.params() / choices.FILE).is_file():
        plan_for(choices.load_rollout())
    draws()
    settings = load_settings()
    require_table(primary_outcome(), settings)
    require_one_question(primary_outcome(), settings)


def require_one_question(primary: str, settings: StudentSettings) -> None:
    """Refuse a promise, quoted on the pages of a draw, of another outcome than the one that leads them."""
    if settings.draw and (fault := two_questions(promised(settings.rollout)[1], primary)):
        raise BadInput(f"What was promised beforehand (params/students.yml or params/rollout.yml): {fault}.")


def require_table(primary: str, settings: StudentSettings) -> None:
    """Refuse a primary outcome of students that no file holds; a draw counts it from the days of its own periods."""
    if primary == ATTENDANCE or settings.simulated or settings.outcomes or settings.draw:
        return
    raise BadInput(
        f"The plan names {primary} as the primary outcome of students, and params/students.yml names no table of "
        "`outcomes:` that holds it. Name the table, or freeze another plan: leapstudy plan --freeze --reason TEXT"
    )


def primary_outcome() -> str:
    """Return the outcome of students that was named as primary: by the frozen plan, or by params/rollout.yml.

    Attendance where neither names one for students.

    Raises
    ------
    BadInput
        As `kept_plan` and `load_rollout`.
    """
    plan = kept_plan()
    if plan and plan["choices"]["track"] == "students":
        return str(plan["choices"]["outcome"])
    if not plan and (paths.params() / choices.FILE).is_file():
        lottery = choices.load_rollout()
        if lottery.track == "students":
            return lottery.outcome
    return ATTENDANCE


def planned_margins() -> tuple[float, float] | None:
    """Return the smallest effect of the primary outcome that would matter, points; None where no plan was frozen.

    On a visited student, and on the average of all offered, of whom the share `met` are visited.
    """
    plan = kept_plan()
    if not plan or plan["choices"]["track"] != "students":
        return None
    matters, budget = _matters(plan), plan["choices"]["budget"]
    return matters, matters * budget["met"]


def _matters(plan: dict[str, Any]) -> float:
    """Return the smallest effect on the primary outcome that would matter."""
    return size_for(plan["choices"]["budget"]["matters_pp"], plan["choices"]["outcome"])


def planned_until(known: Sequence[str], last_start: str) -> tuple[str, str]:
    """Return the last month of the primary outcome by the frozen plan of students, and what a page says of it.

    Parameters
    ----------
    known
        The school months of the files, in order, such as ``2032-06``.
    last_start
        The month in which the last of those drawn start.

    Returns
    -------
    tuple of str
        The month is empty where every month of the files counts.
    """
    plan = kept_plan()
    if not plan or plan["choices"]["track"] != "students":
        return "", "all of the files; no plan was frozen that names them"
    months_of_plan = planned_months(plan, known)
    last, span = months_of_plan[-1], f"the {len(months_of_plan)} school months after {plan['decided_after']}"
    if known[-1] < last:
        return "", f"the plan names {span}; the files hold {len(set(known) & set(months_of_plan))} of them"
    if last < last_start:
        return "", f"the plan names {span}, which end before the last start: all of the files are used, a deviation"
    return last, f"{span} that the plan names, to {last}"


def plan_card(newest: str) -> tuple[tuple[str, str], ...]:
    """Return the frozen plan of students line by line, for the pages; empty where none was frozen.

    Parameters
    ----------
    newest
        The newest month that the files hold, such as ``2032-06``.
    """
    plan = kept_plan()
    if not plan or plan["choices"]["track"] != "students":
        return ()
    choices, budget, rule = plan["choices"], plan["choices"]["budget"], plan["choices"]["eligible"]["students"]
    older = age(date.fromisoformat(plan["written"]), plan["decided_after"], newest, "month")
    if newest <= plan["decided_after"]:
        older = (
            f"The files end in {newest}, no later than the month it decides after: no effect here is one it promised."
        )
    change = f"; it replaces {plan['replaces'][:12]}: {plan['reason']}" if plan["replaces"] else ""
    who = Rule(rule["window"], rule["percent"]).words()
    phases = ", ".join(f"{name}: {size:g}" for name, size in choices["phases"].items())
    return (
        ("frozen", f"{plan['written']}, SHA-256 {plan['frozen']}{change}. {older}"),
        ("question", choices["question"]),
        ("who may be drawn", f"{who}, up to {rule['month'] or plan['decided_after']}"),
        ("lots", f"within {', '.join(choices['strata']['students']) or 'all together'}; {phases}"),
        ("primary outcome", f"{choices['outcome']}, over {_over(plan)}"),
        ("closed until", choices["analysis_from"] or "no day was named"),
        ("would matter", f"{_matters(plan):g} points on a visited student; {budget['met']:.0%} are to be met"),
        ("budget", f"{budget['dollars']:,.0f} dollars, {budget['per_visited_student']:,.0f} for a student visited"),
        *plan["analysis"].items(),
    )


def _over(plan: dict[str, Any]) -> str:
    months_of_plan = plan.get("months")
    span = f": {months_of_plan[0]} to {months_of_plan[-1]}" if months_of_plan else ""
    return f"{plan['choices']['months_after']} school months after the decision{span}"


def plan_for(lottery: Rollout) -> dict[str, Any]:
    """Return the frozen plan that a draw follows; empty where nothing was frozen.

    Raises
    ------
    BadInput
        If the choices are not those of the plan.
    """
    plan = kept_plan()
    if not plan:
        return {}
    now = _choices(lottery)
    for key in {**plan["choices"], **now}:
        if plan["choices"].get(key) != now.get(key):
            raise BadInput(
                f"params/rollout.yml says another {key!r} than the plan that was frozen on {plan['written']}. Undo the "
                "change, or freeze again with a reason: `leapstudy plan --freeze --reason TEXT`."
            )
    return plan


def plan_age(plan: dict[str, Any]) -> str:
    """Say whether the plan is older than the figures that it will use."""
    track = plan["choices"]["track"]
    return age(
        date.fromisoformat(plan["written"]),
        plan["decided_after"],
        newest_period(track, plan["choices"]["outcome"]),
        "month" if track == "students" else "school year",
    )


def record_age(plan: dict[str, Any], data: StudyData) -> str:
    """Say whether the plan of record, `params/plan.yml`, is older than the figures that its contrast uses.

    Raises
    ------
    BadInput
        If the plan names a contrast that the study does not declare.
    """
    name = plan["planned"]["contrast"]
    if name not in data.state.contrasts:
        raise bad_value("contrast of the plan", name, data.state.contrasts)
    rule, shift = data.state.contrasts[name], data.state.calendar.shift
    starts = set(data.starts.values())
    before, newest = (
        min(shift(start, max(rule.pre)) for start in starts),
        max(shift(start, max(rule.post)) for start in starts),
    )
    return age(date.fromisoformat(str(plan["written"])), before, newest, "school year")
