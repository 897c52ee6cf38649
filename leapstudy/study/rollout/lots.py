"""The draw itself: from the list of who is eligible and an announced seed to who starts when, on record for good."""

import csv
import io
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd

from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.core.files import sha256_bytes, write_bytes_atomic, write_text_atomic
from leapstudy.data import load_study
from leapstudy.data.districts import COLUMNS, read_register, starts_of
from leapstudy.data.load import newest_figures
from leapstudy.data.raw import as_csv, pin
from leapstudy.data.state import load_state
from leapstudy.did.lottery.assignment import WAITING, Drawn, draw, small_strata
from leapstudy.evidence.plan import Period
from leapstudy.students.eligible import JOIN, eligible_ids, months
from leapstudy.students.settings import StudentSettings, load_settings
from leapstudy.study.rollout.choices import FILE, Rollout, Track
from leapstudy.study.rollout.eligibility import eligible_units, own_numbers, rule_words, students_before, unit_strata
from leapstudy.study.rollout.records import HEADER, DrawRecord, append, draws, last_draw, lateness, read_draw
from leapstudy.study.rollout.written_plan import plan_for

LIST = "draw_{number}.csv"
OWN = "draw_{number}_own_numbers.csv"
JOINED = "small strata together"
WITHIN = (
    "This draw was made within the first {kind} of phase {phases}: it decides only for those who have no visit yet. If "
    "visits begin later, say on which day: `first:` under `rollout:` in params/students.yml."
)


@dataclass(frozen=True, slots=True)
class Lottery:
    """A draw that was made: its record, where its list is, whether it holds students, and units in joined strata."""

    record: DrawRecord
    path: Path
    private: bool
    joined: int


def hold(rollout: Rollout, out: Path | None, reason: str, settings: StudentSettings | None = None) -> Lottery:
    """Draw, write the list, and put the draw on record.

    Parameters
    ----------
    rollout
        The choices of `params/rollout.yml`.
    out
        Folder of the list. Of students it is private: outside the workspace, and readable by its owner alone. Of units
        it is ``params/`` by default.
    reason
        Why there is a second draw; empty for the first.
    settings
        Where the student files are; `params/students.yml` by default.

    Raises
    ------
    BadInput
        Without an announced seed; for a second draw without a reason; for students without a private folder; and as
        `assignment.draw`.
    """
    before, today = draws(), datetime.now(UTC)
    _check(rollout, before, reason, today.date())
    plan = plan_for(rollout)
    strata, rule, own = _who(rollout, out, settings or load_settings(), plan.get("decided_after", ""))
    strata = merged(strata, rollout)
    assignment = draw(strata, rollout.places(len(strata)), rollout.seed)
    text, number = list_text(assignment), len(before) + 1
    record = DrawRecord(
        made_at=f"{today:%Y-%m-%d %H:%M} UTC",
        track=rollout.track,
        rule=rule,
        strata=JOIN.join(getattr(rollout.strata, rollout.track)) or "none",
        seed=rollout.seed,
        announced=rollout.announced,
        phases=rollout.places(len(strata)),
        n_units=len(assignment),
        waiting=sum(item.phase == WAITING for item in assignment),
        list_sha256=sha256_bytes(text.encode()),
        plan_sha256=plan.get("frozen", ""),
        previous_sha256=before[-1].sha256 if before else "",
        reason=reason.strip(),
    )
    record, folder = replace(record, sha256=record.digest()), out or paths.params()
    private = rollout.track == "students"
    path = folder / LIST.format(number=number)
    if not private and path.is_file() and path.read_text(encoding="utf-8") != text:
        raise BadInput(
            f"{path.name} is there already, and no draw on record made it. Restore params/draws.json from version "
            "control, or keep that list under another name."
        )
    write = _write_private if private else write_text_atomic
    write(path, text)
    if own:
        rows = [(own[item.unit], item.unit, item.phase) for item in assignment]
        write(folder / OWN.format(number=number), _csv(("own_number", "unit", "phase"), rows))
    append(record)
    return Lottery(record, path, private, sum(item.stratum == JOINED for item in assignment))


def _check(plan: Rollout, before: tuple[DrawRecord, ...], reason: str, today: date) -> None:
    if before and not reason.strip():
        raise BadInput(
            f"There is a draw on record already, made {before[-1].made_at}. A second one can be used to draw until the "
            "list pleases; if it has to be, say why: `leapstudy draw --reason TEXT`. It stays on record beside the "
            "first, whose list no analysis goes by then, unless the reason says (set off by punctuation from other "
            f"words): draw_{len(before)} stays."
        )
    if not plan.seed.strip() or not plan.announced:
        raise BadInput(
            "A draw needs a seed that nobody could choose: in params/rollout.yml write under `announced:` the date on "
            "which you told where the number will come from, and under `seed:` the number once it is known."
        )
    if date.fromisoformat(plan.announced) > today:
        raise BadInput(f"The seed is said to be announced on {plan.announced}, which is still to come.")


def begun(made_at: str, starts: Mapping[str, str], track: Track) -> str:
    """Say of which phases the start was over before a draw, so that no lottery decides those, and which one it was
    made within; empty for none.
    """
    kind: Period = "month" if track == "students" else "school year"
    lateness_of = {phase: lateness(made_at, start, kind) for phase, start in starts.items()}
    late = [f"{phase!r} in {starts[phase]}" for phase, how in lateness_of.items() if how == "after"]
    if not late:
        within = [f"{phase!r} ({starts[phase]})" for phase, how in lateness_of.items() if how == "within"]
        return WITHIN.format(kind=kind, phases=", ".join(within)) if within else ""
    where = (
        "`starts:` under `rollout:` in params/students.yml" if track == "students" else f"`phases:` in params/{FILE}"
    )
    return (
        f"Visits of phase {', '.join(late)} begin before this draw: who starts then is decided already, and pages will "
        f"say that it was no lottery. Draw again with a later start ({where})."
    )


def _who(
    plan: Rollout, out: Path | None, settings: StudentSettings, first_month: str
) -> tuple[dict[str, str], str, dict[str, str]]:
    """Return unit -> stratum, the rule in words, and pseudonym -> own number where the files hold own numbers."""
    if plan.track == "units":
        where = plan.eligible.units
        units = eligible_units(load_study(started=False), where)
        return unit_strata(units, plan.strata.units), rule_words(where), {}
    _check_private(out)
    data, eligible = students_before(settings), plan.eligible.students
    month = eligible.month or first_month or months(data)[-1]
    mark = "SIMULATED students, " if data.simulated else ""
    strata = eligible_ids(data, eligible.rule, month, plan.strata.students)
    return strata, f"{mark}{eligible.rule.words()}, up to {month}", own_numbers(settings, frozenset(strata))


def _check_private(out: Path | None) -> None:
    root = paths.root().resolve()
    if out is None or paths.real(out).is_relative_to(root):
        raise BadInput(
            "A list of students belongs outside this workspace, in a folder that only you can read: "
            "`leapstudy draw --out FOLDER`."
        )


def merged(strata: Mapping[str, str], plan: Rollout) -> dict[str, str]:
    """Return unit -> stratum with the strata joined that are too small for a lottery of their own."""
    small = small_strata(Counter(strata.values()), plan.shares(len(strata))) if len(strata) > 1 else frozenset()
    return {unit: JOINED if of in small else of for unit, of in strata.items()}


def list_text(assignment: tuple[Drawn, ...]) -> str:
    """Return the list as CSV: unit, stratum, rank, phase; the same text for the same draw on every machine."""
    return _csv(HEADER, [(item.unit, item.stratum, item.rank, item.phase) for item in assignment])


def _csv(header: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone can read, from its first byte on; one that is there is not written over."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BadInput(f"{path.name} is there already. Keep it, and give another folder with --out.") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(text)


def write_starts(path: Path) -> tuple[str, str, int, int]:
    """Write the starts that a draw of units gave into the file of starts, and pin it.

    Those of phases after the newest figures are not written yet: their units wait until figures reach them.

    Parameters
    ----------
    path
        The list, in `params/`.

    Returns
    -------
    tuple
        The file of starts, below `data/raw/`, the list's name, how many units of the draw start by the newest figures,
        and how many later.

    Raises
    ------
    BadInput
        As `last_draw` and `starts_of`; for a list of students or one elsewhere; where a unit of the draw has another
        start already. Nothing is written then.
    """
    record, assignment = read_draw(path)
    if record.track != "units" or paths.real(path).parent != paths.params().resolve():
        raise BadInput(
            f"{path.name} is no list of units in params/: starts are those of districts or schools, and the list that "
            "gives them stays beside the choices, where anybody can draw it again."
        )
    last_draw(path, "units")
    state = load_state()
    register = read_register(state)
    start_of, phase_of = {item.code: item.start for item in register}, {item.unit: item.phase for item in assignment}
    if other := [unit for unit, start in start_of.items() if unit in phase_of and phase_of[unit] != start]:
        raise BadInput(
            f"{state.program.starts} gives {', '.join(other[:5])} another start than {path.name} drew. Take "
            f"{'it' if len(other) == 1 else 'them'} out by hand, then: leapstudy data pin {state.program.starts}"
        )
    newest = newest_figures(state)
    starters = [item for item in assignment if item.phase != WAITING and item.phase <= newest]
    later = sum(item.phase != WAITING and item.phase > newest for item in assignment)
    if not starters:
        return state.program.starts, path.name, 0, later
    rows = [(item.code, item.start, item.end, item.source) for item in register]
    origin = f"{path.name}, drawn {record.made_at}"
    rows += [(item.unit, item.phase, "", origin) for item in starters if item.unit not in start_of]
    frame, file = pd.DataFrame(rows, columns=list(COLUMNS)), paths.raw() / state.program.starts
    starts_of(frame, state)
    content = as_csv(frame)
    write_bytes_atomic(file, content)
    pin(file.parent, {file.name: sha256_bytes(content)})
    return state.program.starts, path.name, len(starters), later
