"""What `leapstudy check` finds in the student files of the parameters, kept by their hashes, so that `run` asks the
same.

It also remembers what was answered before, so that two answers side by side do not tell of a student. Of two answers
whose groups differ by one student, the difference of the published averages is that student's. So files that differ
from those of an earlier answer by fewer than `MIN_GROUP` students of a group are refused, unless the analyst says that
no earlier answer was published. So are the same files under other choices of who counts, since a band of absence that
is left out may hold one visited student.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from filelock import FileLock

from leapstudy.core import paths
from leapstudy.core.errors import BadInput, attempt
from leapstudy.core.files import sha256_bytes, write_text_atomic
from leapstudy.core.names import ALL_DISTRICTS as ALL
from leapstudy.core.phrases import counted
from leapstudy.core.sources import package_hash
from leapstudy.data import District, load_study
from leapstudy.data.districts import slug_of
from leapstudy.students.disclosure import MIN_COUNT, MIN_GROUP, rounded, shown
from leapstudy.students.settings import Level, StudentSettings, input_files, input_hashes
from leapstudy.study.result import jsonable, restored
from leapstudy.study.rollout.choices import Track, promised
from leapstudy.study.rollout.records import draws, last_draw

FOLDER = "student_checks"
UNNAMED = (
    "A draw of students is on record, made {made_at}, and params/students.yml names no list under `draw:`. "
    "Name it: who is compared with whom was drawn, and outcomes open on the day that was planned."
)
MONTH_COLUMNS = (
    "student",
    "district_code",
    "school_code",
    "month",
    "days_enrolled",
    "days_attended",
    "grade",
    "high_needs",
)


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found: `text` for people, whether the files can be used, the districts with visits, and the accounts.

    Attributes
    ----------
    text : str
        The reports of attendance and log.
    ok : bool
    districts : tuple of District
        Districts of the files with visited students, by code.
    accounts : tuple of dict
        role, rows_in, used, aside (rule -> rows): exact, for programs.
    sketches : tuple of dict
        Who stands in each group, see `leapstudy.students.sketch`; none of the SIMULATED state.
    raw_ids : bool
        Whether ids are the files' own, so that a key must make pseudonyms of them.
    drawn : str
        What is wrong with the list of a draw beside these files; empty where nothing is.
    """

    text: str
    ok: bool
    districts: tuple[District, ...]
    accounts: tuple[dict[str, Any], ...]
    sketches: tuple[dict[str, Any], ...] = ()
    raw_ids: bool = False
    drawn: str = ""


def check_students(settings: StudentSettings) -> Checked:
    """Check attendance and visit log as the parameters name them; an unchanged input is not read again.

    Raises
    ------
    BadInput
        If files are missing, cannot be opened or lack columns.
    """
    key = sha256_bytes(json.dumps([input_hashes(settings), package_hash()], sort_keys=True).encode())[:16]
    folder = paths.derived() / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{key}.json"
    with FileLock(folder / ".lock"):
        if not file.is_file():
            write_text_atomic(file, json.dumps(jsonable(_check(settings)), ensure_ascii=False))
        return restored(Checked, json.loads(file.read_text(encoding="utf-8")))


def require_usable(settings: StudentSettings) -> Checked:
    """Return what was found, or raise `BadInput` in the words of `leapstudy check` where the files cannot be used."""
    outcome = check_students(settings)
    if not outcome.ok:
        raise BadInput(outcome.text)
    if reason := no_answer(outcome, settings):
        raise BadInput(f"{outcome.text}\n{reason}")
    return outcome


def no_answer(checked: Checked, settings: StudentSettings) -> str:
    """Return why files that can be used must not, or cannot, be answered; empty where they may."""
    if not (checked.districts or settings.draw):  # the effect of an offer is told where nobody took it up, too
        return "Nobody in these files was visited, so there is no effect to estimate."
    if reason := missing_key(checked) or unnamed(settings) or unread(settings) or checked.drawn:
        return reason
    if settings.earlier_answers == "unpublished":
        return ""
    answer = answer_of(checked.sketches, settings)
    return why_refused(answer, {place.code: place.name for place in checked.districts})


def missing_key(checked: Checked) -> str:
    """Return what is wrong where ids are the files' own and no key is set; empty where one is, or none is needed."""
    if not checked.raw_ids:
        return ""
    from leapstudy.students.pseudonyms import load_key  # imports the engine

    return attempt(load_key)[1]


def require_students_open(settings: StudentSettings) -> None:
    """Refuse to look at outcomes by the arm that was drawn before the planned day.

    Raises
    ------
    BadInput
        Before that day, or where no day was planned; as `require_list`. Nothing where nobody drew lots.
    """
    from leapstudy.evidence.watch import require_outcomes_open

    if settings.draw:
        require_outcomes_open(promised(settings.rollout)[0], date.today())
        require_list(settings)


def track_of(level: Level) -> Track:
    """Return the track of a draw by what was drawn."""
    return "students" if level == "student" else "units"


def require_list(settings: StudentSettings) -> None:
    """Refuse a list of a draw that a later draw replaced; see `records.last_draw`."""
    if settings.draw:
        last_draw(paths.named(settings.draw), track_of(settings.rollout.level))


def unnamed(settings: StudentSettings) -> str:
    """Return what is wrong where students drew lots and the parameters name no list; empty where they do."""
    draw_days = [item.made_at for item in draws() if item.track == "students"]
    return UNNAMED.format(made_at=draw_days[-1]) if draw_days and not settings.draw else ""


def unread(settings: StudentSettings) -> str:
    """Return what is wrong with the list of the draw that the parameters name; empty where it can be used."""
    from leapstudy.students.lottery import lottery_of  # imports the engine

    return attempt(lottery_of, settings)[1]


def _beside(months: Any, settings: StudentSettings) -> str:
    """Return why a list of schools or districts is not one of these files; of students the run alone has the key."""
    from leapstudy.students.lottery import lottery_of
    from leapstudy.students.lottery_outcomes import require_files

    if not settings.draw or settings.rollout.level == "student":
        return ""
    lottery, _ = attempt(lottery_of, settings)
    return "" if lottery is None else attempt(require_files, months, lottery)[1]


def _check(settings: StudentSettings) -> Checked:
    from leapstudy.students import check  # imports the engine
    from leapstudy.students.contract import OUTCOMES, VISITS
    from leapstudy.students.engine import connect, release
    from leapstudy.students.files import is_simulated
    from leapstudy.students.outcomes import inspect_outcomes
    from leapstudy.students.pseudonyms import has_raw_ids
    from leapstudy.students.readers import open_panel, read_visits
    from leapstudy.students.sketch import group_sketches
    from leapstudy.students.sources import read, require_somewhere

    places, how, files = load_study(started=False).districts, settings.reading, input_files(settings)
    require_somewhere([place for role, place in files.items() if role != "roster"], how)
    con = connect(settings.memory_limit, engine=settings.engine)
    panel = open_panel(con, files["attendance"], how, settings.shape or None, files.get("roster"))
    limits = check.limits_for(panel.table, tuple(places["district_code"]), how)
    simulated = is_simulated(files["attendance"])
    report, rows = check.inspect_attendance(panel, limits, files["attendance"].name, simulated)
    release(panel.table)
    log = read_visits(con, files["visits"], how)
    visits_report, log_rows = check.inspect_visits(
        log, rows, limits, files["visits"].name, settings.max_unmatched, simulated
    )
    reports, outcomes = [report, visits_report], None
    if "outcomes" in files and not simulated:
        source = read(con, files["outcomes"], OUTCOMES, how)
        outcomes_report, outcomes = inspect_outcomes(source, rows, limits, files["outcomes"].name, simulated)
        reports.append(outcomes_report)
    reports = [check.with_columns(item, con, files[item.role], how) for item in reports]
    ok = all(item.ok for item in reports)
    codes, sketches, raw_ids, drawn = [], [], has_raw_ids(rows), ""
    if ok:
        visits = check.kept_rows(log_rows, VISITS.names)
        months = check.kept_rows(rows, MONTH_COLUMNS)
        codes = _visited_districts(visits, months)
        results = None if outcomes is None else check.kept_rows(outcomes, OUTCOMES.names)
        sketches = [] if simulated else group_sketches(months, visits, results)
        drawn = _beside(months, settings)
    accounts = [jsonable(account) for item in reports for account in item.accounts]
    text = "\n".join(item.text() for item in reports)
    return Checked(text, ok, places_of(codes, settings), tuple(accounts), tuple(sketches), raw_ids, drawn)


def _visited_districts(log: Any, panel: Any) -> list[str]:
    """Return the districts in which visited students are first seen: those that an answer is made for."""
    from leapstudy.students.engine import sealed

    visited = log.filter(log.completed).select("student").distinct()
    rows = panel.semi_join(visited, "student")
    rows = rows.filter(rows.days_enrolled > 0)
    months = rows.group_by(["student", "month"]).agg(district_code=rows.district_code.argmax(rows.days_enrolled))
    homes = months.group_by("student").agg(district_code=months.district_code.argmin(months.month))
    codes = homes.select("district_code").distinct()
    return sorted(sealed("listing the districts with visits", codes.to_pyarrow)["district_code"].to_pylist())


def places_of(codes: Sequence[str], settings: StudentSettings) -> tuple[District, ...]:
    """Return the districts of the codes: by the study's table, else by `district_names:`, else by the code itself.

    Raises
    ------
    BadInput
        If two would share a folder.
    """
    data = load_study(started=False)
    districts = data.districts.set_index("district_code")
    places = []
    for code in codes:
        if code in districts.index:
            places.append(District(code, str(districts.loc[code, "district"]), str(districts.loc[code, "slug"])))
        else:
            name = settings.district_names.get(code, f"District {code}")
            places.append(District(code, name, slug_of(code, name, data.state.unit)))
    slugs = [place.slug for place in places]
    if len(set(slugs)) < len(slugs):
        raise BadInput("Two districts of the student files share a name. Tell them apart under `district_names:`.")
    return tuple(places)


def set_aside(accounts: Sequence[Mapping[str, Any]], explanations: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return what a page shows of the accounts: table, what, rows; where a count is small, all of its table are
    rounded.
    """
    rows = []
    for account in accounts:
        count = rounded if any(0 < n < MIN_COUNT for n in account["aside"].values()) else "{:,}".format
        lines = {"rows in": count(account["rows_in"])}
        lines |= {f"set aside: {explanations.get(rule, rule)}": shown(n) for rule, n in account["aside"].items()}
        lines["rows used"] = count(account["used"])
        rows += [{"table": account["role"], "what": what, "rows": n_rows} for what, n_rows in lines.items()]
    return rows


LEDGER = "answered_students.json"
# Answered files that are remembered; of each only sums over whole groups (`leapstudy.students.sketch`).
REMEMBERED = 24
# Parameters that say, in the same files, which students and months count.
CHOICES = ("min_comparison", "early", "months_after", "seed")
Sketches = Iterable[Mapping[str, Any]]
# What was chosen, and who stood in each group: `choices`, `sketches`.
Answer = Mapping[str, Any]

UNSEEN = "if no earlier answer was shown to anybody, set `earlier_answers: unpublished` in params/students.yml."
FEW_APART = (
    "These files differ from files that were answered before by fewer than {least} of the {group}{more}. Both answers "
    "side by side would tell how those few students did. Answer again once at least {least} students of a group are "
    "new or corrected; or, {unseen}"
)
OTHER_CHOICES = (
    "These students were answered before under other choices of who counts ({choices}). Both answers side by side "
    "could tell how the few students did that count in one of them only. Go back to the earlier choice; or, {unseen}"
)


def answer_of(sketches: Sketches, settings: StudentSettings) -> Answer:
    """Return what is remembered of an answer.

    Parameters
    ----------
    sketches
        Of its groups, see `leapstudy.students.sketch`.
    settings
        What it was made with.
    """
    choices = settings.model_dump(mode="json", include=set(CHOICES))
    if settings.draw:
        draw_hash = sha256_bytes(paths.named(settings.draw).read_bytes())
        choices["draw"] = [draw_hash, settings.rollout.level, settings.rollout.starts]
    return {"choices": choices, "sketches": list(sketches)}


def students_apart(old: Mapping[str, Any], new: Mapping[str, Any]) -> float:
    """Return how many students two sketches of a group differ in, zero only for equal groups.

    A student who was corrected is in neither group what it was in the other, and counts once.
    """
    only_one = float(np.mean((np.array(new["sums"]) - np.array(old["sums"])) ** 2))
    return max(abs(new["students"] - old["students"]), only_one / 2)


def _apart(old: Sketches, new: Sketches) -> dict[tuple[str, bool], float]:
    """Return how many students each group that is large enough to be shown in both differs in."""
    before = {(item["place"], item["visited"]): item for item in old}
    pairs = [(key, before[key], item) for item in new if (key := (item["place"], item["visited"])) in before]
    return {
        key: students_apart(one, other)
        for key, one, other in pairs
        if min(one["students"], other["students"]) >= MIN_GROUP
    }


def groups_too_close(old: Sketches, new: Sketches) -> tuple[tuple[str, bool], ...]:
    """Return place and side (visited or not) of the groups shown in both that differ by a few students only."""
    return tuple(key for key, apart in _apart(old, new).items() if 0 < apart < MIN_GROUP)


def choices_apart(old: Answer, new: Answer) -> tuple[str, ...]:
    """Return the choices that two answers about the same students, or all but a few of them, were made under."""
    if all(apart >= MIN_GROUP for apart in _apart(old["sketches"], new["sketches"]).values()):
        return ()
    both = [name for name in new["choices"] if name in old["choices"]]
    return tuple(name for name in both if old["choices"][name] != new["choices"][name])


def earlier() -> list[Answer]:
    """Return what is remembered of the answers before, the newest last."""
    file = paths.derived() / LEDGER
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []


def remember(answer: Answer) -> None:
    """Write down what was answered; whoever calls holds the lock of the answers."""
    answers = [item for item in earlier() if item != answer]
    write_text_atomic(paths.derived() / LEDGER, json.dumps([*answers, answer][-REMEMBERED:]))


def why_refused(answer: Answer, names: Mapping[str, str]) -> str:
    """Return in words why these files must not be answered beside earlier ones; empty where they may."""
    before = earlier()
    if close := {key for old in before for key in groups_too_close(old["sketches"], answer["sketches"])}:
        return _few_apart(sorted(close, key=lambda key: (key[0] != ALL, key)), names)
    if choices := dict.fromkeys(name for old in before for name in choices_apart(old, answer)):
        names_changed = ", ".join(f"`{name}:`" for name in choices)
        return OTHER_CHOICES.format(choices=names_changed, unseen=UNSEEN)
    return ""


def _few_apart(close: Sequence[tuple[str, bool]], names: Mapping[str, str]) -> str:
    (place, visited), *others = close
    where = "all districts" if place == ALL else names.get(place, place)
    more = f" (and of {counted(len(others), 'further group', 'further groups')})" if others else ""
    group = f"{'visited' if visited else 'other'} students of {where}"
    return FEW_APART.format(least=MIN_GROUP, group=group, more=more, unseen=UNSEEN)
