"""`leapstudy watch`: the files of the parameters against what was promised, as lines for a screen."""

from dataclasses import replace
from datetime import date

from leapstudy.core.errors import BadInput
from leapstudy.evidence.watch import Promise, Watch, lines, require_outcomes_open, watch
from leapstudy.students.lottery import lottery_of
from leapstudy.students.settings import StudentSettings, load_settings
from leapstudy.students.visits import progress
from leapstudy.study.rollout.choices import promised
from leapstudy.study.rollout.written_plan import kept_plan
from leapstudy.study.student_check import require_list, unnamed
from leapstudy.study.student_files import open_own


def watch_students(until: str = "", outcomes: bool = False) -> list[str]:
    """Return how the program runs, line by line.

    Parameters
    ----------
    until
        Last day that counts, ``YYYY-MM-DD``; today if empty.
    outcomes
        Whether outcomes by arm are asked for.

    Raises
    ------
    BadInput
        For a day that is none, outcomes before their day, a list that was replaced, or files that cannot be used.
    """
    settings = load_settings()
    if outcomes:
        require_outcomes_open(promised(settings.rollout)[0], date.today())
        return ["Outcomes by arm are open: `leapstudy run --track students` analyzes them as planned."]
    day = _day(until)
    require_list(settings)
    data = open_own(settings, inside=False)
    lottery = lottery_of(settings)
    report = watch(progress(data, day, lottery), day, promise_of(settings), lottery.starts if lottery else {})
    lines = told(report, data.simulated)
    return [*filter(None, [unnamed(settings)]), *lines]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text) if text else date.today()
    except ValueError:
        raise BadInput(f"{text!r} is no day; write it as YYYY-MM-DD.") from None


def promise_of(settings: StudentSettings) -> Promise:
    """Return what the parameters promise; of a draw, where they are silent, the share met is the frozen plan's."""
    promise = Promise(**{name: getattr(settings.rollout, name) for name in Promise.__dataclass_fields__})
    plan = kept_plan() if settings.draw else {}
    if promise.met is not None or not plan or plan["choices"]["track"] != "students":
        return promise
    return replace(promise, met=plan["choices"]["budget"]["met"])


def told(report: Watch, simulated: bool) -> list[str]:
    """Return a report as lines: what needs attention, then the tables; small counts are hidden."""
    mark = "SIMULATED students. " if simulated else ""
    parts = {
        "So far and as promised": report.totals,
        "By school": report.schools,
        "By week": report.weeks,
        "Schools that stopped sending": report.stopped,
        "By phase of the draw": report.arms,
        "How attempts went, and what visits gave (students; some stand in several rows)": report.attempts,
    }
    head = (
        f"{mark}The program up to {report.until}. Counts to the nearest five, small ones hidden. No outcome is shown."
    )
    text = [head, *(report.warnings or ("Nothing needs attention.",))]
    for title, table in parts.items():
        if len(table):
            text += ["", title, *lines(table)]
    return text
