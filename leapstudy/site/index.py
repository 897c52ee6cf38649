"""The runs of a batch as the site shows them, and its first page: the answer for all, the districts, the articles."""

import math
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from leapstudy.core.names import ALL_SLUG, STUDENT_SLUG
from leapstudy.core.phrases import between, capital, counted, number, points
from leapstudy.data.names import outcome_unit, outcome_words, program_name, short, study_names
from leapstudy.evidence.verdict import UNCLAIMED
from leapstudy.site.render import APPENDIX, NOTEBOOK, PLAIN, footer, link, render
from leapstudy.study.result import load_result
from leapstudy.words.plain_page import catalog, plain_page
from leapstudy.words.reading import Reading, has_answer, read_result, why_none

LEAD_POINTS = ("answer", "sure", "overturn")
TRACKS = ("public", "students")
# State of a run that another batch left in the folder.
EARLIER = "earlier"
# States of a run whose figures may be shown.
SHOWN = ("done", "fresh", "stale", EARLIER)
STAYED = " Status earlier: kept from a batch before the last one; `leapstudy status` says whether it is still fresh."
UNREAD = " In parentheses stands what may not be read as an effect; its plain page says why."
POINTS = "percentage points"
NO_EFFECT = "No effect to show"
# What a run's title says and a table of visited students need not repeat.
OF_STUDENTS = ", student track"
EMPTY = {"effect": "", "interval": "", "picture": "", "mde": ""}


@dataclass(frozen=True, slots=True)
class Entry:
    """One run as the index shows it; `reading` is None where there is no result that may be shown."""

    slug: str
    title: str
    status: str
    track: str
    error: str
    pages: tuple[str, ...]
    reading: Reading | None
    result: Mapping[str, Any] | None

    @property
    def shown(self) -> bool:
        """Whether the run succeeded."""
        return self.status in SHOWN


def index_html(entries: Sequence[Entry], out: Path, date: str) -> str:
    """Return the index of a site."""
    districts = [item for item in entries if item.track]
    tables = [
        _table(track, [item for item in districts if item.track == track])
        for track in TRACKS
        if any(item.track == track for item in districts)
    ]
    pooled = next((item for item in districts if item.slug == ALL_SLUG and item.reading), None)
    first = pooled or next((item for item in districts if item.reading), None)
    leading = first or next((item for item in districts if item.result), None)
    return render(
        "index",
        up="",
        title=_title(first.reading if first else None),
        lead=_lead(pooled, {item.track for item in districts}),
        tables=tables,
        statuses=sorted({item.status for item in districts}),
        articles=[_article(item) for item in entries if not item.track],
        estimates=(out / "estimates.csv").is_file(),
        links=[link(catalog("en")["chrome_all"], "index.html", here=True)],
        footer=footer(leading.result if leading else None, date),
    )


def _title(reading: Reading | None) -> str:
    """Return the question as the first page asks it, of the outcome that leads there."""
    names = study_names()
    outcome = reading.outcome if reading and reading.track == "public" else names.state.usual("outcomes")
    words = outcome_words(outcome) if names.other(outcome) or names.falls(outcome) else "attendance"
    return f"Did {program_name()} {'lower' if names.falls(outcome) else 'raise'} {words}?"


def _lead(pooled: Entry | None, tracks: Set[str]) -> list[str]:
    if tracks == {"students"}:
        return ["This build holds the students of the visits alone; the public figures are not in it."]
    if pooled is None or pooled.reading is None:
        return ["This build holds no result for all together."]
    page = plain_page(pooled.reading)
    return [section.text for section in page.sections if section.key in LEAD_POINTS]


def _table(track: str, entries: Sequence[Entry]) -> dict[str, Any]:
    unit = study_names().state.unit.noun["en"][0] if track == "public" else "district"
    panels = _panels(track, entries)
    return {
        "heading": f"{capital(unit)} by {unit}" if track == "public" else f"Visited students, by {unit}",
        "first": capital(unit),
        "caption": (
            f"{counted(len(entries), 'run')}, the highest effect first{_effects(track, entries, len(panels))}."
            + (STAYED if any(item.status == EARLIER for item in entries) else "")
            + (UNREAD if any(item.reading.verdict.kind in UNCLAIMED for item in entries if item.reading) else "")
        ),
        # of the picture, which phones leave out
        "drawn": "A dot with its line is the estimate with its 95% interval, the thin line is zero.",
        "simulated": any(item.reading.simulated for item in entries if item.reading),
        "panels": panels,
    }


def _panels(track: str, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Return the rows by outcome, that of all together first; outcomes in one unit share an axis, others never do."""
    in_order = sorted(entries, key=lambda item: (item.reading is None, not _pooled(item), -_value(item)))
    groups: dict[str, list[Entry]] = {}
    for item in in_order:
        groups.setdefault(_outcome(track, item), []).append(item)
    if len(groups.keys() - {""}) < 2:
        return [_panel("", in_order, in_order)]
    return [
        _panel(
            f"{capital(name)}, {_unit(own[0])}" if name else NO_EFFECT,
            own,
            [item for item in in_order if _unit(item) == _unit(own[0])],
        )
        for name, own in sorted(groups.items(), key=lambda each: (not each[0], not _pooled(each[1][0]), -len(each[1])))
    ]


def _panel(title: str, entries: Sequence[Entry], alike: Sequence[Entry]) -> dict[str, Any]:
    """Return rows on the axis that they share with all that are `alike` in unit."""
    effects = [item.reading.effect for item in alike if item.reading]
    ends = [end for effect in effects for end in (effect.value, *effect.ends) if end is not None]
    least = 0.0 if _unit(alike[0]) not in ("", POINTS) and any(ends) else 1.0
    low, high = min([*ends, -least]), max([*ends, least])
    digits = max(0, 1 - math.floor(math.log10(high - low)))
    return {
        "title": title,
        "axis": f"{points(low, digits)} to {points(high, digits)}" if effects or not title else "",
        "rows": [_row(item, low, high) for item in entries],
    }


def _effects(track: str, entries: Sequence[Entry], panels: int) -> str:
    """Say in which unit the effects are; points alone do not say themselves of what they are."""
    if panels > 1:
        return " within each outcome; its unit stands above"
    first = next((item for item in entries if item.reading), None)
    unit = _unit(first) if first else POINTS
    return f". Effects in {unit}" + (
        f" of {_outcome(track, first) if first else 'attendance'}" if unit == POINTS else ""
    )


def _unit(item: Entry) -> str:
    return outcome_unit(item.reading.outcome, "long") if item.reading else ""


def _outcome(track: str, item: Entry) -> str:
    if item.reading is None:
        return ""
    name = item.reading.outcome
    if track == "public":
        return outcome_words(name)
    return "attendance" if name == "attendance_rate" else name.replace("_", " ")


def _pooled(item: Entry) -> bool:
    return item.reading is not None and item.reading.code == "ALL"


def _value(item: Entry) -> float:
    return item.reading.effect.value if item.reading else 0.0


def _row(item: Entry, low: float, high: float) -> dict[str, Any]:
    names = {PLAIN["en"]: "plain page", APPENDIX: "appendix", NOTEBOOK: "notebook" if item.shown else "what failed"}
    base = {
        "title": capital(item.reading.name if item.reading else short(item.title).removesuffix(OF_STUDENTS)),
        "status": item.status,
        "shown": item.shown,
        "error": item.error,
        "links": [link(text, f"{item.slug}/{name}") for name, text in names.items() if name in item.pages],
    }
    if item.reading is None:
        return {**base, **EMPTY}
    effect, mde = item.reading.effect, item.reading.mde
    return {
        **base,
        "effect": f"({points(effect.value)})" if item.reading.verdict.kind in UNCLAIMED else points(effect.value),
        "interval": between(effect.low, effect.high),
        "picture": _picture(item.reading, low, high),
        "mde": "" if mde is None else number(mde),
    }


def _picture(reading: Reading, low: float, high: float) -> Markup:
    """Draw one interval as SVG; hidden from screen readers, since the cells beside it hold its numbers."""

    def at(value: float) -> str:
        """Return where a value stands on the axis."""
        return f"{3 + 94 * (value - low) / (high - low):.1f}%"

    effect = reading.effect
    line = ""
    if effect.low is not None and effect.high is not None:
        line = (
            f'<line x1="{at(effect.low)}" x2="{at(effect.high)}" y1="50%" y2="50%" '
            f'style="stroke:var(--mark);stroke-width:2.5"/>'
        )
    return Markup(
        '<svg aria-hidden="true" focusable="false">'
        f'<line x1="{at(0)}" x2="{at(0)}" y1="0" y2="100%" style="stroke:var(--soft);stroke-width:1"/>{line}'
        f'<circle cx="{at(effect.value)}" cy="50%" r="5" style="fill:var(--mark)"/></svg>'
    )


def _article(item: Entry) -> dict[str, Any]:
    return {
        "title": item.title,
        "status": item.status,
        "shown": item.shown,
        "error": item.error,
        "href": f"{item.slug}/{NOTEBOOK}",
    }


ARTICLE = re.compile(r"^\d\d-")
# State of a run that has not ended yet, for `prepare_pages`.
EXPECTED = "expected"


def track_of(slug: str) -> str:
    """Return the track of a run by its folder; empty for an article."""
    return "" if ARTICLE.match(slug) else "students" if slug.startswith(STUDENT_SLUG) else "public"


def expected_entry(run: Mapping[str, Any]) -> Entry:
    """Return the entry of a run that will end well; its result is not looked at."""
    track = track_of(str(run["slug"]))
    return Entry(
        str(run["slug"]),
        str(run["title"]),
        EXPECTED,
        track,
        "",
        _pages(result=bool(track), answer=bool(track)),
        None,
        None,
    )


def _pages(*, result: bool, answer: bool) -> tuple[str, ...]:
    return (NOTEBOOK, *(PLAIN.values() if result else ()), *((APPENDIX,) if answer else ()))


def entry_of(out: Path, run: Mapping[str, Any]) -> Entry:
    """Return the entry of a run that has ended, with what its result says where it may be shown."""
    slug, status = str(run["slug"]), str(run["status"])
    track = track_of(slug)
    path, has_page = out / slug / "result.json", status in SHOWN
    result = load_result(path) if has_page and track and path.is_file() else None
    reading = read_result(result) if result and has_answer(result) else None
    error = error_of(run)
    note = error.get("message", error.get("error", "")) if not has_page else ""
    if result and not reading:
        note = catalog("en")[f"none_{why_none(result)}"]
    pages = _pages(result=bool(reading) or (bool(result) and track == "students"), answer=bool(reading))
    return Entry(slug, str(run["title"]), status, track, note, pages, reading, result)


def error_of(run: Mapping[str, Any]) -> dict[str, str]:
    """Return what went wrong, by name."""
    error = run.get("error")
    if isinstance(error, Mapping):
        return {str(name): str(text) for name, text in error.items()}
    return {"error": str(error or "no notebook was kept")}


def neighbors(entries: Sequence[Entry]) -> dict[str, tuple[Entry | None, Entry | None]]:
    """Return slug -> the answered entry before and after it; all districts first, then by name, tracks apart."""
    around: dict[str, tuple[Entry | None, Entry | None]] = {}
    for track in ("public", "students"):
        own = [item for item in entries if item.track == track and APPENDIX in item.pages]
        own.sort(key=lambda item: (not item.slug.endswith(ALL_SLUG), item.title))
        around_each: list[Entry | None] = [None, *own, None]
        around |= {item.slug: (around_each[place], around_each[place + 2]) for place, item in enumerate(own)}
    return around


def addresses(entries: Sequence[Entry]) -> dict[str, str]:
    """Return notebook file -> its page as seen from a run's folder; notebooks that run often lead to the index."""
    address_of = {"10_district.ipynb": "../index.html", "20_students.ipynb": "../index.html"}
    for item in entries:
        if not item.track:
            address_of[f"{item.slug.replace('-', '_')}.ipynb"] = f"../{item.slug}/{NOTEBOOK}"
        elif item.slug == ALL_SLUG:
            address_of["30_all_districts.ipynb"] = f"../{item.slug}/{NOTEBOOK}"
    return address_of
