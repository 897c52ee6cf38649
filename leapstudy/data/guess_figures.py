"""Which columns of a published file hold rates, counts and years of figures: guessed from names and values."""

import re
from collections.abc import Mapping

import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.data.intake import Source
from leapstudy.data.values import ONE, SHORT, SHORT_SPAN, SPAN, figures_text, is_year

RATE = r"rate|percent|pct|%|share|proportion"
CHRONIC, ATTEND, DAYS = r"chron", r"attend|\batt\b|\batnd|\bada\b", r"days|membership|average daily|\bad[am]\b"
PRESENT = r"present|attended|in attendance|daily attendance|\bada\b"
ENROLLED = r"enrolled|member|possible|enrollment|\badm\b"
# What a count of chronically absent students is divided by, where its name says chronic too.
OF = r"eligible|enroll|denom|member|cohort"
STUDENTS = r"enroll|students?\b|denom|membership|\bn\b|count(?!y)|total|size"


def named(frame: pd.DataFrame, pattern: str, *taken: str) -> list[str]:
    """Return the columns whose name has a pattern; an underscore counts as a space."""
    plain = {name: re.sub(r"[_\s]+", " ", name).strip() for name in frame if name not in taken}
    return [name for name, words in plain.items() if re.search(pattern, words, re.IGNORECASE)]


def is_number(cells: pd.Series) -> bool:
    """Say whether at least half of a column's filled cells are numbers, a percent sign or separators set aside."""
    figures = figures_text(cells[cells != ""])
    return bool(len(figures)) and bool(figures.str.fullmatch(r"[-+]?[\d.]+").mean() >= 0.5)


def measures_of(
    frame: pd.DataFrame, taken: set[str], known: set[str]
) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """Return the columns of figures, and the rates that have to be divided from two of them."""
    numeric = [name for name in frame if name not in taken and is_number(frame[name])]
    table = frame[numeric]
    chronic, attend, days = named(table, CHRONIC), named(table, ATTEND), named(table, DAYS)
    shares = [name for name in numeric if _is_share(name, frame[name])]
    counts_of = [name for name in numeric if not re.search(RATE, name, re.IGNORECASE) and name not in {*shares, *days}]
    students = [name for name in named(frame[counts_of], STUDENTS) if name not in chronic]
    under = [name for name in named(frame[chronic], OF) if name not in shares]
    options = {
        "chronic": [name for name in chronic if name in shares],
        "rate": [name for name in attend if name in shares and name not in chronic],
        "students": [name for name in students if name not in attend] or students or under,
    }
    columns = {name: candidates[0] for name, candidates in options.items() if candidates and name not in known}
    counts = {
        "chronic": (
            [name for name in chronic if name not in {*shares, *under}],
            next(iter(under), columns.get("students", "")),
        ),
        "rate": (named(frame[days], PRESENT), next(iter(named(frame[days], ENROLLED)), "")),
    }
    ratios = {
        name: (top[0], bottom)
        for name, (top, bottom) in counts.items()
        if name not in {*columns, *known} and top and bottom and top[0] != bottom
    }
    return columns, ratios


def _is_share(name: str, cells: pd.Series) -> bool:
    """Say whether a column may hold shares: its name or its cells say so, and no number is above 100."""
    signs = cells.str.endswith("%").any() or cells.str.fullmatch(r"\d*\.\d*[1-9]\d*").any()
    by_name = bool(re.search(RATE, name, re.IGNORECASE)) or bool(signs)
    return by_name and not pd.to_numeric(figures_text(cells), errors="coerce").max() > 100


def wide_of(frame: pd.DataFrame, source: Source, columns: Mapping[str, str]) -> dict[str, str]:
    """Return measure -> form of the columns that are a year each; nothing where a column holds the years."""
    forms: dict[str, list[str]] = {}
    if "year" in columns:
        return {}
    for name in frame:
        hit = next((hit for form in (SPAN, SHORT_SPAN, SHORT, ONE) if (hit := form.search(name))), None)
        if name not in columns.values() and hit and is_year(hit[0]) and is_number(frame[name]):
            forms.setdefault(name[: hit.start()] + "{year}" + name[hit.end() :], []).append(name)
    forms = {form: names for form, names in forms.items() if len(names) > 1}
    wide: dict[str, str] = {}
    for form, names in forms.items():
        cells = pd.concat([frame[name] for name in names])
        measure = _measure_of(form, f"{source.sheet} {source.file}", cells)
        if measure:
            wide.setdefault(measure, form)
    if forms and not wide:
        example = next(iter(forms))
        raise BadInput(
            f"{source.file}: what do the columns {example!r} hold? --column rate={example!r} for attendance, "
            "chronic=... for chronic absence, figure=... for any other outcome."
        )
    return wide


def _measure_of(form: str, place: str, cells: pd.Series) -> str:
    """Return which measure the columns of a form are, by their name, or else by the sheet's and the file's."""
    share = _is_share(form, cells)
    for words in (form, re.sub(r"[_\W]+", " ", place)):
        if re.search(CHRONIC, words, re.IGNORECASE) and share:
            return "chronic"
        if re.search(ATTEND, words, re.IGNORECASE) and share:
            return "rate"
        if re.search(STUDENTS, words, re.IGNORECASE) and not share:
            return "students"
    return ""
