"""The runs of a batch as the site shows them: what each has, which stands beside which, and where links lead."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from leapstudy.core.names import ALL_SLUG, STUDENT_SLUG
from leapstudy.site.index import SHOWN, Entry
from leapstudy.site.render import APPENDIX, NOTEBOOK, PLAIN
from leapstudy.study.result import load_result
from leapstudy.words.reading import has_answer, read_result

ARTICLE = re.compile(r"^\d\d-")
NO_ANSWER = "too few students for an effect"
EXPECTED = "expected"
"""State of a run that has not ended yet, for `prepare_pages`."""


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
    path, shown = out / slug / "result.json", status in SHOWN
    result = load_result(path) if shown and track and path.is_file() else None
    reading = read_result(result) if result and has_answer(result) else None
    error = error_of(run)
    told = error.get("message", error.get("error", "")) if not shown else NO_ANSWER if result and not reading else ""
    pages = _pages(result=bool(reading) or (bool(result) and track == "students"), answer=bool(reading))
    return Entry(slug, str(run["title"]), status, track, told, pages, reading, result)


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
        padded: list[Entry | None] = [None, *own, None]
        around |= {item.slug: (padded[place], padded[place + 2]) for place, item in enumerate(own)}
    return around


def addresses(entries: Sequence[Entry]) -> dict[str, str]:
    """Return notebook file -> its page as seen from a run's folder; notebooks that run often lead to the index."""
    found = {"10_district.ipynb": "../index.html", "20_students.ipynb": "../index.html"}
    for item in entries:
        if not item.track:
            found[f"{item.slug.replace('-', '_')}.ipynb"] = f"../{item.slug}/{NOTEBOOK}"
        elif item.slug == ALL_SLUG:
            found["30_all_districts.ipynb"] = f"../{item.slug}/{NOTEBOOK}"
    return found
