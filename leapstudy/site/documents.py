"""Reports to print and to edit: `leapstudy report`. PDF by Chromium's print, which keeps tags and alternative texts."""

import datetime
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from leapstudy.core.errors import BadInput, LeapstudyError, bad_value
from leapstudy.core.files import scratch_folder, sha256_file, write_bytes_atomic, write_text_atomic
from leapstudy.core.names import STUDENT_SLUG, options
from leapstudy.data import find_district, load_study
from leapstudy.site.build import rebuild_site
from leapstudy.site.pages import appendix_html, plain_html, report_html
from leapstudy.site.render import APPENDIX, DOCUMENTS, PLAIN, write_assets
from leapstudy.site.stamps import FIGURES, note_documents
from leapstudy.site.word import report_docx
from leapstudy.study.result import load_result
from leapstudy.words.reading import has_answer

Format = Literal["html", "pdf", "docx"]
PDF, DOCX = "report.pdf", "report.docx"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PRINT_FLAGS = ("--no-pdf-header-footer", "--generate-pdf-document-outline")
PRINT_SECONDS = 60
NO_CHROMIUM = "No PDF was made: Chromium is missing. Install it (Debian: apt install chromium) and run this again."


@dataclass(frozen=True, slots=True)
class Reports:
    """What `build_reports` wrote, and what it could not do, one line each."""

    paths: tuple[Path, ...]
    notes: tuple[str, ...]


def build_reports(out: Path, slugs: Sequence[str], formats: Sequence[str], date: str | None = None) -> Reports:
    """Write plain page and technical appendix of some runs from their result files alone.

    Parameters
    ----------
    out
        Folder of the results.
    slugs
        Runs by the name of their folder.
    formats
        Any of `html`, `pdf`, `docx`.
    date
        Day that the footers show; today by default.

    Raises
    ------
    BadInput
        For an unknown format, and for a run without a result or whose last run failed. Nothing is written then.
    """
    for name in formats:
        if name not in options(Format):
            raise bad_value("format", name, options(Format))
    day = date or datetime.date.today().isoformat()
    results = {slug: _result(out / slug) for slug in slugs}
    browser = next((executable for name in CHROMIUM_NAMES if (executable := shutil.which(name))), None)
    paths: list[Path] = []
    for slug, result in results.items():
        folder = out / slug
        if "pdf" in formats and browser:
            paths.append(_write_pdf(folder, result, out, day, browser))
        if "docx" in formats:
            write_bytes_atomic(folder / DOCX, report_docx(result, day))
            paths.append(folder / DOCX)
        if "html" in formats:
            paths += _write_html(folder, result, out, day)
    note_documents(out, [path for path in paths if path.name in DOCUMENTS])
    rebuild_site(out, date)  # pages link to the documents that are there
    notes = (NO_CHROMIUM,) if "pdf" in formats and not browser else ()
    return Reports(tuple(paths), notes)


def report_slugs(out: Path, names: Sequence[str]) -> list[str]:
    """Return the runs that are asked for, by slug, name or code; every run with a result where none is named.

    A name whose student page alone is there means that one.

    Raises
    ------
    BadInput
        If there is no result at all, a name is no district, or its run gave no effect.
    """
    results = {path.parent.name: load_result(path) for path in sorted(out.glob("*/result.json"))}
    slugs = [slug for slug, result in results.items() if has_answer(result)]
    if not slugs:
        raise BadInput(f"There is no result in {out.name}/ yet. Run `leapstudy run` first.")
    matches = [_slug(name, results) for name in names]
    for slug in matches:
        if slug in results and slug not in slugs:
            raise BadInput(
                f"{slug} has no effect to report; {out.name}/{slug}/{PLAIN['en']} says why, and is all that there is."
            )
    return matches or slugs


def _slug(name: str, results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the run that a name means: its folder, a district of the study, or one that student files alone know."""
    if not {name, STUDENT_SLUG + name}.intersection(results):
        own = (slug for slug, result in results.items() if name in (result.get("district") or {}).values())
        try:
            name = find_district(load_study(started=False).districts, name).slug
        except BadInput:
            if not (match := next(own, "")):
                raise
            return match
    return next((slug for slug in (name, STUDENT_SLUG + name) if slug in results), name)


def _result(folder: Path) -> dict[str, Any]:
    path, manifest = folder / "result.json", folder / "manifest.json"
    if not path.is_file():
        raise BadInput(f"There is no result for {folder.name!r} yet. Run `leapstudy run {folder.name}` first.")
    if manifest.is_file():
        state, digest = _state_and_hash(manifest)
        if state != "done":
            raise BadInput(
                f"The last run of {folder.name!r} did not succeed, so it has no report. See {folder.name}/run.log."
            )
        if digest != sha256_file(path):
            raise BadInput(
                f"{folder.name}/result.json is not as its run left it, so it has no report. Run `leapstudy run "
                f"{folder.name}` again."
            )
    return load_result(path)


def _state_and_hash(manifest: Path) -> tuple[str, str]:
    """Return the state of a run and the hash of its result, as its manifest tells; empty where it does not."""
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
        return content["state"], content["outputs"].get("result.json", "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", ""


def _write_html(folder: Path, result: dict[str, Any], out: Path, day: str) -> list[Path]:
    page_names = {name: (folder / name).is_file() for name in (*DOCUMENTS, "notebook.html")}
    page_names |= dict.fromkeys((*PLAIN.values(), APPENDIX), True)
    pages = {name: plain_html(result, lang, out / FIGURES, day, {}, page_names) for lang, name in PLAIN.items()}
    pages[APPENDIX] = appendix_html(result, day, {}, page_names)
    for name, text in pages.items():
        write_text_atomic(folder / name, text)
    write_assets(out)
    return [folder / name for name in pages]


def _write_pdf(folder: Path, result: dict[str, Any], out: Path, day: str, browser: str) -> Path:
    write_assets(out)
    page = folder / ".print.html"  # beside the other pages, so that its relative addresses hold
    try:
        write_text_atomic(page, report_html(result, out / FIGURES, day))
        with scratch_folder() as scratch:
            target = scratch / PDF
            _print(browser, page, target, scratch)
            write_bytes_atomic(folder / PDF, target.read_bytes())
    finally:
        page.unlink(missing_ok=True)
    return folder / PDF


def _print(browser: str, page: Path, target: Path, scratch: Path) -> None:
    flags = [*FLAGS, *PRINT_FLAGS, f"--user-data-dir={scratch / 'profile'}", f"--print-to-pdf={target}"]
    try:
        process = subprocess.run(
            [browser, *flags, page.as_uri()], capture_output=True, timeout=PRINT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise LeapstudyError(
            f"Chromium did not print {page.parent.name!r} within {PRINT_SECONDS} s. Try again."
        ) from None
    if process.returncode or not target.is_file():
        raise LeapstudyError(f"Chromium could not print {page.parent.name!r} (exit code {process.returncode}).")
