"""The draws on record, `params/draws.json`: each with its list's hash, chained to the one before, never overwritten."""

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.core.files import sha256_bytes, write_text_atomic
from leapstudy.core.parameter_file import read_text
from leapstudy.data import StudyData
from leapstudy.data.sheets import is_year
from leapstudy.data.state import State
from leapstudy.did.lottery.assignment import Drawn, draw
from leapstudy.evidence.plan import Period, period_begin, period_end
from leapstudy.students.settings import load_settings

if TYPE_CHECKING:  # choices read the contract of students
    from leapstudy.study.rollout.choices import Track

FILE = "draws.json"
HEADER = ("unit", "stratum", "rank", "phase")


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawRecord:
    """One draw as everybody may see it: no unit of a list of students stands in it.

    Attributes
    ----------
    made_at, track, rule, strata : str
        When, of what, who was eligible, and within what lots were drawn; in words.
    seed, announced : str
        The text that decides, and the date on which its source was announced.
    phases : dict
        Phase -> places, in the order of their start; `waiting` units beyond them.
    n_units, waiting : int
    list_sha256, plan_sha256, previous_sha256 : str
        Of the list drawn, of the frozen plan (empty where there was none), and of the record before.
    reason : str
        Why it was drawn again; empty for a first draw.
    sha256 : str
        Over all of the above.
    """

    made_at: str
    track: str
    rule: str
    strata: str
    seed: str
    announced: str
    phases: Mapping[str, int]
    n_units: int
    waiting: int
    list_sha256: str
    plan_sha256: str
    previous_sha256: str
    reason: str
    sha256: str = ""

    def digest(self) -> str:
        """Return the hash over everything but `sha256`."""
        content = {name: value for name, value in asdict(self).items() if name != "sha256"}
        return sha256_bytes(json.dumps(content, sort_keys=True, ensure_ascii=False).encode())


def draws() -> tuple[DrawRecord, ...]:
    """Return the draws on record, the first one first; none where there is no record.

    Raises
    ------
    BadInput
        If a record was changed or taken out.
    """
    file = paths.params() / FILE
    if not file.is_file():
        return ()
    try:
        records = tuple(DrawRecord(**item) for item in json.loads(read_text(file)))
    except (ValueError, TypeError, RecursionError):
        raise BadInput(f"{file.name} is no record of draws. Restore it from version control.") from None
    before = ""
    for number, item in enumerate(records, 1):
        if item.sha256 != item.digest() or item.previous_sha256 != before:
            raise BadInput(
                f"Draw {number} in {file.name} was changed after it was made, or one before it was taken out. "
                "Restore the file from version control: a lottery can be trusted only if its record is whole."
            )
        before = item.sha256
    return records


def append(record: DrawRecord) -> None:
    """Write one more draw to the record."""
    content = [asdict(item) for item in (*draws(), record)]
    write_text_atomic(paths.params() / FILE, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_draw(path: Path) -> tuple[DrawRecord, tuple[Drawn, ...]]:
    """Return a list and its record, the last one of it, after drawing it again from its seed.

    Raises
    ------
    BadInput
        If no draw on record has this list, or seed and list do not give the phases that it says.
    """
    if not path.is_file():
        raise BadInput(f"There is no list {path.name} in {path.parent.name or '.'}/.")
    try:
        text = path.read_text(encoding="utf-8")
        rows = list(csv.DictReader(io.StringIO(text)))
        assignment = tuple(Drawn(row["unit"], row["stratum"], int(row["rank"]), row["phase"]) for row in rows)
    except (OSError, UnicodeDecodeError, KeyError, ValueError, csv.Error):
        raise BadInput(f"{path.name} is no list of a draw: it needs the columns {', '.join(HEADER)}.") from None
    digest = sha256_bytes(text.encode())
    record = next((item for item in reversed(draws()) if item.list_sha256 == digest), None)
    if record is None:
        raise BadInput(f"No draw on record has the list {path.name} (SHA-256 {digest[:12]}...): it was changed.")
    if draw({item.unit: item.stratum for item in assignment}, record.phases, record.seed) != assignment:
        raise BadInput(f"The seed on record does not give the list {path.name}: it is not the draw of that seed.")
    return record, assignment


def last_draw(path: Path, track: "Track") -> DrawRecord | None:
    """Return the record of the list that an analysis goes by; None where this workspace has no draw of the track.

    Raises
    ------
    BadInput
        As `read_draw`; for a list of the other track, and for one that a later draw replaced: it stays only where the
        reason of the last one says so, in words set off from others (``draw_1 stays; a second year``).
    """
    records = draws()
    if all(item.track != track for item in records):
        return None
    record, _ = read_draw(path)
    if record.track != track:
        raise BadInput(f"{path.name} is a list of {record.track}, and a list of {track} is asked for.")
    number = records.index(record) + 1
    last = next(item for item in reversed(records) if item.track == track)
    if last != record and not _stays(number, last.reason):
        raise BadInput(
            f"{path.name} was replaced by the draw of {last.made_at} ({last.reason}): no analysis goes by it. Name the "
            f"later list. One that is to stay beside later ones is named in the last reason: draw_{number} stays, set "
            "off by commas or semicolons."
        )
    return record


def _stays(number: int, reason: str) -> bool:
    """Say whether a reason has ``draw_1 stays`` between punctuation or its ends, and not within other words."""
    return re.search(rf"(?:^|[.,;:()])\s*draw_{number} stays\s*(?:$|[.,;:()])", reason) is not None


Late = Literal["", "within", "after"]


def lateness(made_at: str, start: str, kind: Period) -> Late:
    """Say whether a draw was made before a start, a month or school year, within it, or after it.

    Where `first:` of params/students.yml lies in it, the start is that day.
    """
    day, begin, end = date.fromisoformat(made_at[:10]), period_begin(start, kind), period_end(start, kind)
    first = load_settings().rollout.first
    if first and begin <= first <= end:
        begin = end = first
    return "after" if day > end else "within" if day > begin else ""


def on_record(path: Path, track: "Track", first: str = "", kind: Period = "month") -> str:
    """Say which draw on record a list is of, how anybody draws it again, and whether it came after its `first` start.

    Raises
    ------
    BadInput
        As `last_draw`.
    """
    record = last_draw(path, track)
    if record is None:
        return "not on record in this workspace (params/draws.json): it cannot be drawn again from here"
    records = [item for item in draws() if item.track == track]
    again = f", drawn again because: {record.reason}" if record.reason else ""
    late = {
        "": "",
        "within": f"; made within its first start, {first}: a lottery of those alone who had no visit by then",
        "after": f"; made after its first start, {first}, and so no lottery of who starts",
    }[lateness(record.made_at, first, kind) if first else ""]
    plan = "a plan was frozen before it" if record.plan_sha256 else "no plan was frozen before it"
    return (
        f"draw {records.index(record) + 1} of {len(records)} on record, {record.made_at}{again}{late}; {plan}; "
        f"seed {record.seed!r}, announced {record.announced}; list SHA-256 {record.list_sha256[:12]}, given again"
    )


def require_units_open(data: StudyData) -> None:
    """Refuse outcomes of units by the arm that was drawn before the day that their frozen plan names.

    Until figures reach the first start there is no such outcome, and what is known of an older program stays open.

    Raises
    ------
    BadInput
        Before that day; nothing where no lots on record decided who started, or no plan of units was frozen. As
        `last_draw`, of the list that the study names.
    """
    if plan := _plan_of_lots(data):
        from leapstudy.evidence.watch import require_outcomes_open  # imports the engine of students

        require_outcomes_open(_opened(plan), date.today())


def closed_from(data: StudyData) -> str:
    """Return the first school year of which outcomes by who was drawn are closed; empty where none are."""
    plan = _plan_of_lots(data)
    if not plan or ((opens := _opened(plan)) and opens <= date.today()):
        return ""
    phases = plan["choices"]["phases"]
    return min(phases) if all(map(is_year, phases)) else "0"  # a name says no year: every one is closed


def _plan_of_lots(data: StudyData) -> dict[str, Any]:
    """Return the frozen plan of units that drew lots, once figures reach their first start; empty otherwise."""
    lottery = data.state.program.lottery
    has_draw = lottery is not None and bool(lottery.draw)
    if lottery is None or not (has_draw or any(item.track == "units" for item in draws())):
        return {}
    if has_draw:
        last_draw(paths.params() / lottery.draw, "units")
    from leapstudy.study.rollout.written_plan import kept_plan  # imports the engine of students

    plan = kept_plan()
    if not plan or plan["choices"]["track"] != "units":
        return {}
    # a phase with a name of its own says no year: as if figures had reached it
    waits = all(is_year(phase) and data.newest < phase for phase in plan["choices"]["phases"])
    return {} if waits else plan


def _opened(plan: Mapping[str, Any]) -> date | None:
    """Return the day of a plan; a plan of earlier days may name none, and `outcomes_from:` of the settings does."""
    day = plan["choices"]["analysis_from"]
    return date.fromisoformat(day) if day else load_settings().rollout.outcomes_from


@dataclass(frozen=True, slots=True)
class Lots:
    """What a page says of the draw of units that decided who starts.

    Attributes
    ----------
    told : str
        Which draw on record it is, in words.
    question, outcomes_from : str
        The question of the plan that was frozen before it, and the day until which outcomes stayed closed; empty where
        no plan was.
    """

    told: str
    question: str
    outcomes_from: str


def lots_told(state: State, starts: Mapping[str, str]) -> Lots | None:
    """Return what pages say of the draw that the study names; None where it names none.

    Raises
    ------
    BadInput
        As `read_draw`.
    """
    if state.program.lottery is None or not state.program.lottery.draw:
        return None
    from leapstudy.study.rollout.written_plan import kept_plan  # imports the engine of students

    path, plan = paths.params() / state.program.lottery.draw, kept_plan()
    sentence = on_record(path, "units", min(starts.values(), default=""), "school year")
    if not plan or not any(item.plan_sha256 == plan["frozen"] for item in draws() if item.track == "units"):
        return Lots(sentence, "", "")
    return Lots(sentence, plan["choices"]["question"], plan["choices"]["analysis_from"])
