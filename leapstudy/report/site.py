"""The site in `reports/`: an index, and the pages of every run; only what changed is written again."""

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from leapstudy.core.files import sha256_file, write_text_atomic
from leapstudy.core.names import ALL_SLUG
from leapstudy.report.index import Entry, index_html
from leapstudy.report.phrases import short
from leapstudy.report.reading import read_result
from leapstudy.report.render import APPENDIX, DOCUMENTS, NOTEBOOK, PLAIN, link, write_assets
from leapstudy.report.result import load_result
from leapstudy.report.stamps import FIGURES, Stamps, read_stamps

ARTICLE = re.compile(r"^\d\d-")
PUPILS = "pupils-"
SHOWN = ("done", "fresh", "stale")
"""States of a run whose figures may be shown."""
EXPECTED = "expected"
"""State of a run that has not ended yet, for `prepare_pages`."""


def build_site(out: Path, runs: Sequence[Mapping[str, Any]], date: str | None = None) -> Path:
    """Write the pages of every run and the index, and return the index's path.

    Parameters
    ----------
    out
        Folder of the results; each run has its own in it.
    runs
        `slug`, `title`, `status`, `notebook` (path of the executed one, or None) and `error` (a mapping, a text or
        None) of each run. Only a run whose status is done, fresh or stale is shown with figures.
    date
        Day that the footers show; today by default.
    """
    entries = [_entry(out, run) for run in runs]
    build = _build(out, entries, date)
    for entry, run in zip(entries, runs, strict=True):
        build.write_run(entry, run)
    write_assets(out)
    build.stamps.finish(runs)
    index = out / "index.html"
    write_text_atomic(index, index_html(entries, out, build.day))
    return index


def prepare_pages(out: Path, runs: Sequence[Mapping[str, Any]], slug: str, date: str | None = None) -> None:
    """Write the pages of one run that has just ended well, while others still run.

    The others are taken to end well, too. Where one does not, `build_site` finds that pages were made from something
    else and writes them again; so this saves time at the end and decides nothing.

    Parameters
    ----------
    out, runs, date
        As for `build_site`; the status of a run that has not ended is `EXPECTED`.
    slug
        The run that has ended.
    """
    first = next((run["slug"] for run in runs if _track(str(run["slug"])) == "public"), slug)
    entries = [_entry(out, run) if run["slug"] in (slug, first) else _expected(run) for run in runs]
    build = _build(out, entries, date)
    for entry, run in zip(entries, runs, strict=True):
        if entry.slug == slug:
            build.write_run(entry, run)
    build.stamps.keep()


def _build(out: Path, entries: Sequence[Entry], date: str | None) -> "Build":
    day = date or datetime.date.today().isoformat()
    common = next((item.result for item in entries if item.result and item.track == "public"), None)
    return Build(out, day, Stamps(out), _neighbours(entries), _addresses(entries), common)


def rebuild_site(out: Path, date: str | None = None) -> Path | None:
    """Build the site of the last batch again, for a new document say; return None where there was none."""
    try:
        runs = read_stamps(out)["runs"]
    except (OSError, ValueError, KeyError):
        return None
    placed = [{**run, "notebook": out / run["notebook"] if run["notebook"] else None} for run in runs]
    return build_site(out, placed, date)


def _track(slug: str) -> str:
    return "" if ARTICLE.match(slug) else "pupils" if slug.startswith(PUPILS) else "public"


def _expected(run: Mapping[str, Any]) -> Entry:
    """Return the entry of a run that will end well; its result is not looked at."""
    track = _track(str(run["slug"]))
    return Entry(str(run["slug"]), str(run["title"]), EXPECTED, track, "", _pages(track, bool(track)), None, None)


def _pages(track: str, has_result: bool) -> tuple[str, ...]:
    # the appendix answers the checklist of a study of districts; a pupil study is told by its notebook
    more = (*PLAIN.values(), *((APPENDIX,) if track == "public" else ()))
    return (NOTEBOOK, *(more if has_result else ()))


def _entry(out: Path, run: Mapping[str, Any]) -> Entry:
    slug, status = str(run["slug"]), str(run["status"])
    track = _track(slug)
    path, shown = out / slug / "result.json", status in SHOWN
    result = load_result(path) if shown and track and path.is_file() else None
    reading = read_result(result) if result else None
    error = "" if shown else _error(run).get("message", _error(run).get("error", ""))
    return Entry(slug, str(run["title"]), status, track, error, _pages(track, bool(reading)), reading, result)


def _error(run: Mapping[str, Any]) -> dict[str, str]:
    error = run.get("error")
    if isinstance(error, Mapping):
        return {str(name): str(text) for name, text in error.items()}
    return {"error": str(error or "no notebook was kept")}


def _neighbours(entries: Sequence[Entry]) -> dict[str, tuple[Entry | None, Entry | None]]:
    """Return slug -> the entry before and after it; all districts together first, then by name, tracks apart."""
    around: dict[str, tuple[Entry | None, Entry | None]] = {}
    for track in ("public", "pupils"):
        own = [item for item in entries if item.track == track and PLAIN["en"] in item.pages]
        own.sort(key=lambda item: (not item.slug.endswith(ALL_SLUG), item.title))
        padded: list[Entry | None] = [None, *own, None]
        around |= {item.slug: (padded[place], padded[place + 2]) for place, item in enumerate(own)}
    return around


def _addresses(entries: Sequence[Entry]) -> dict[str, str]:
    """Return notebook file -> its page as seen from a run's folder; notebooks that run often lead to the index."""
    found = {"10_district.ipynb": "../index.html", "20_pupils.ipynb": "../index.html"}
    for item in entries:
        if not item.track:
            found[f"{item.slug.replace('-', '_')}.ipynb"] = f"../{item.slug}/{NOTEBOOK}"
        elif item.slug == ALL_SLUG:
            found["30_all_districts.ipynb"] = f"../{item.slug}/{NOTEBOOK}"
    return found


@dataclass(frozen=True, slots=True)
class Build:
    """One build of the site: where, for which day, and what the pages share.

    `common` is a result whose data and version stand in the footers of pages without a result of their own.
    """

    out: Path
    day: str
    stamps: Stamps
    neighbours: Mapping[str, tuple[Entry | None, Entry | None]]
    addresses: Mapping[str, str]
    common: Mapping[str, Any] | None

    def write_run(self, entry: Entry, run: Mapping[str, Any]) -> None:
        """Write the pages of one run; of a failed one only why it failed, and nothing of an earlier success."""
        folder, notebook = self.out / entry.slug, Path(run.get("notebook") or "")
        if not entry.shown or not notebook.is_file():
            for name in (*PLAIN.values(), APPENDIX, *DOCUMENTS):
                (folder / name).unlink(missing_ok=True)
            self._write_failed(entry, run)
            return
        there = dict.fromkeys(entry.pages, True) | {name: (folder / name).is_file() for name in DOCUMENTS}
        self._write_notebook(entry, notebook, there)
        if entry.result:
            self._write_result(entry, entry.result, there)

    def _write_failed(self, entry: Entry, run: Mapping[str, Any]) -> None:
        from leapstudy.report.pages import failed_html

        told = _error(run)
        path = self.out / entry.slug / NOTEBOOK
        self.stamps.write(
            path,
            [entry.status, told],
            lambda: failed_html(short(entry.title), entry.status, told, self.common, self.day),
        )

    def _write_notebook(self, entry: Entry, notebook: Path, there: Mapping[str, bool]) -> None:
        around = self._around(entry, NOTEBOOK)

        def make() -> str:
            from leapstudy.report.pages import notebook_html  # plotting is imported only where a page is made

            return notebook_html(
                notebook,
                short(entry.title),
                entry.result or self.common,
                self.out / FIGURES,
                self.day,
                self.addresses,
                around,
                there,
            )

        parts = [sha256_file(notebook), around, there, self.addresses, (entry.result or self.common or {}).get("made")]
        self.stamps.write(self.out / entry.slug / NOTEBOOK, parts, make)

    def _write_result(self, entry: Entry, result: Mapping[str, Any], there: Mapping[str, bool]) -> None:
        folder = self.out / entry.slug
        digest = sha256_file(folder / "result.json")

        def appendix() -> str:
            from leapstudy.report.pages import appendix_html

            return appendix_html(result, self.day, self._around(entry, APPENDIX), there)

        def plain(lang: str) -> str:
            from leapstudy.report.pages import plain_html

            return plain_html(result, lang, self.out / FIGURES, self.day, self._around(entry, PLAIN[lang]), there)

        if APPENDIX in entry.pages:
            self.stamps.write(folder / APPENDIX, [digest, self._around(entry, APPENDIX), there], appendix)
        for lang, name in PLAIN.items():
            self.stamps.write(folder / name, [digest, self._around(entry, name), there], partial(plain, lang))

    def _around(self, entry: Entry, page: str) -> dict[str, Any]:
        before, after = self.neighbours.get(entry.slug, (None, None))
        return {
            name: None if other is None else link(short(other.title), f"../{other.slug}/{page}")
            for name, other in (("previous", before), ("next", after))
        }
