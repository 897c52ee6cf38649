"""The technical appendix: what the field demands of a difference-in-differences study, point by point.

Each point is answered from `result.json` with its figure, or with "Not possible: ..." and the reason. Titles, order and
sentences are those of `catalog/appendix.yml`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from leapstudy.core.phrases import capital
from leapstudy.core.table import Table
from leapstudy.words import appendix_public, appendix_students
from leapstudy.words.appendix_source import Answer, Asked, Source
from leapstudy.words.reading import read_result
from leapstudy.words.sentences import catalog_file


@dataclass(frozen=True, slots=True)
class Point:
    """One point of the checklist: what is asked, the answer, and a table where the answer has one."""

    number: int
    title: str
    answer: str
    table: Table | None = None


def checklist(result: Mapping[str, Any]) -> tuple[Point, ...]:
    """Return every point of the checklist, answered for one result of either track."""
    source = Source(result, read_result(result))
    points, asked = [], answers(source.reading.track)
    for place, (key, title) in enumerate(catalog_file("appendix")["titles"].items(), start=1):
        ask = asked.get(key)
        answer = ask(source) if ask else source.say(key)
        text, table = answer if isinstance(answer, tuple) else (answer, None)
        points.append(Point(place, title, capital(text), table))
    return tuple(points)


def answers(track: str) -> dict[str, Asked]:
    """Return point -> the function of its name, which answers it; other points are answered by their sentence alone."""
    functions = {**vars(appendix_public if track == "public" else appendix_students), "again": again}
    return {key: functions[key] for key in catalog_file("appendix")["titles"] if key in functions}


def again(source: Source) -> Answer:
    """Say how the result is made again, and what was planned."""
    record = source.result.get("made") or {}
    facts = {
        "leapstudy": record.get("leapstudy"),
        "package": record.get("package_hash"),
        "lock file": record.get("lock_hash"),
        "Python": record.get("python"),
    }
    more = (record.get("packages"), record.get("data_hashes"), source.result.get("params"))
    plan = source.at("answer", "plan") or source.at("plan", "content") or ()
    frozen = [(f"frozen plan, {label}", text) for label, text in plan]
    rows = [*facts.items(), *(item for part in more for item in (part or {}).items()), *frozen]
    versions = pd.DataFrame(
        [(name, "" if value is None else str(value)) for name, value in rows], columns=["What", "Value"]
    )
    return source.say("again", planned=_plan_words(source)).strip(), Table(versions, "What made this result")


def _plan_words(source: Source) -> str:
    check, rows = source.at("plan"), source.frame("standings")
    if source.at("answer", "plan"):
        return source.say("planned_by_lot" if source.at("answer", "lottery") else "planned_without_lot")
    if not check or rows is None:
        return ""
    departures = "; ".join(source.say("deviation", item=item) for item in check["deviations"])
    parts = ", ".join(f"{int(count)} {name}" for name, count in rows.groupby("standing")["rows"].sum().items())
    text = source.say("planned", sha256=check["plan_sha256"][:12], check=check, told=departures or "none", rows=parts)
    return text + "".join(source.say("addition", item=item) for item in check.get("additions") or ())
