"""Every place that tells the answer of a run, read as a reader would, and held against the verdict of its result."""

import csv
import html
import json
import re

from leapstudy.core.phrases import number
from leapstudy.study.result import load_result
from leapstudy.words.findings import verdict_words
from leapstudy.words.plain_page import LANGUAGES, plain_page
from leapstudy.words.reading import has_answer, read_result

HIDDEN = re.compile(r"<(script|style|svg)\b.*?</\1>|base64,[A-Za-z0-9+/=]+|<[^>]+>", re.DOTALL)
UNSAID = re.compile(r"(?<![\w.=])(?:nan|None|inf|NaT)(?!\w)|[−-]0\.0+(?!\d)|Traceback")
PAGES = {"en": "plain.html", "es": "plain.es.html"}


def shown(path):
    """Return what a page shows, its blanks and line breaks made one."""
    return _joined(html.unescape(HIDDEN.sub(" ", path.read_text(encoding="utf-8"))))


def differences(reports):
    """Return every place below `reports/` that tells another answer than the verdict of its run's result."""
    with (reports / "estimates.csv").open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["role"] == "main"]
    index, wrong = shown(reports / "index.html"), []
    runs = [path.parent for path in sorted(reports.glob("*/result.json")) if has_answer(load_result(path))]
    assert runs
    for run in runs:
        reading = read_result(load_result(run / "result.json"))
        verdict, stored = reading.verdict, json.loads((run / "result.json").read_text(encoding="utf-8"))
        told = {"result.json": stored["blocks"]["evidence"]["verdict"]["kind"] == verdict.kind}
        for lang in LANGUAGES:
            page = shown(run / PAGES[lang])
            sections = plain_page(reading, lang).sections
            told |= {f"{PAGES[lang]}: {part.key}": _joined(part.text) in page for part in sections if part.text}
        told["notebook.html"] = verdict_words(verdict, reading.outcome) in shown(run / "notebook.html")
        own = [float(row["estimate_pp"]) for row in rows if row["district_code"] == reading.code]
        told["estimates.csv"] = [number(value) for value in own] == [number(verdict.estimate_pp)]
        signed = number(verdict.estimate_pp) if verdict.estimate_pp < 0 else f"+{number(verdict.estimate_pp)}"
        told["index.html"] = signed in index
        if reading.code == "ALL":
            answer = next(part.text for part in plain_page(reading).sections if part.key == "answer")
            told["index.html: answer"] = _joined(answer) in index
        wrong += [f"{run.name}/{place} is not {verdict.kind}" for place, same in told.items() if not same]
    return wrong


def unsaid(reports):
    """Return what no page should show of a number that does not exist, with what stands around it."""
    pages = {path: shown(path) for path in sorted(reports.glob("**/*.html"))}
    return [
        f"{path.relative_to(reports)}: {text[max(0, match.start() - 80) : match.end() + 40]}"
        for path, text in pages.items()
        for match in UNSAID.finditer(text)
    ]


def _joined(text):
    return " ".join(text.split())
