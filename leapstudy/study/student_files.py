"""The answers of all districts, made once from the student files and kept in `data/derived/`; no row is kept."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from filelock import FileLock

from leapstudy.core import paths
from leapstudy.core.files import sha256_bytes, write_text_atomic
from leapstudy.core.names import ALL_DISTRICTS as ALL
from leapstudy.core.names import ALL_SLUG
from leapstudy.core.sources import libraries
from leapstudy.data import District, load_facts, load_study
from leapstudy.data.names import short
from leapstudy.evidence.privacy import protect
from leapstudy.students.disclosure import MIN_COUNT, MIN_GROUP, VISITED, rounded
from leapstudy.students.guard import key_mark
from leapstudy.students.referral_rule import CUTS, ReferralRule
from leapstudy.students.settings import StudentSettings, input_files, input_hashes, load_settings
from leapstudy.study.result import jsonable
from leapstudy.study.rollout.choices import promised
from leapstudy.study.rollout.records import draws
from leapstudy.study.rollout.written_plan import kept_plan, primary_outcome
from leapstudy.study.student_check import (
    answer_of,
    places_of,
    remember,
    require_students_open,
    require_usable,
    set_aside,
)
from leapstudy.study.student_publish import published

if TYPE_CHECKING:
    from leapstudy.students.handle import StudentData

FOLDER = "student_answers"
# Answers of earlier files or parameters that are kept beside the newest.
KEPT = 3


def stored_state(settings: StudentSettings | None = None) -> list[dict[str, Any]]:
    """Return the stored study of each district; the state is measured first where anything changed.

    Whoever asks first measures, anyone else waits: notebooks that run side by side do the work once.

    Raises
    ------
    BadInput
        If the parameters or the files cannot be used.
    """
    choices = settings or load_settings()
    hashes = input_hashes(choices)
    plans = [primary_outcome(), *map(str, promised(choices.rollout)), kept_plan(), *(item.sha256 for item in draws())]
    mark = "" if choices.simulated else key_mark()
    key = sha256_bytes(json.dumps([hashes, plans, _sources_hash(), mark], sort_keys=True).encode())[:16]
    folder = paths.derived() / FOLDER
    file = folder / f"{key}.json"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if not file.is_file():
            check = None if choices.simulated else require_usable(choices)
            write_text_atomic(file, json.dumps(published(_state(choices, hashes)), allow_nan=False))
            _forget_old(folder)
            if check:
                remember(answer_of(check.sketches, choices))
    return json.loads(file.read_text(encoding="utf-8"))


def _sources_hash() -> str:
    """Return a hash over all that the answers depend on beside files and parameters; not on its pictures."""
    package = Path(__file__).parents[1]
    rooms = ("core", "data", "students", "did", "evidence", "study")
    files = [*(file for room in rooms for file in (package / room).rglob("*.[py]*[yl]")), *paths.raw().rglob("*.csv")]
    versions = json.dumps(libraries(), sort_keys=True).encode()
    return sha256_bytes(b"\0".join([versions, *(file.read_bytes() for file in sorted(files))]))


def explanations() -> dict[str, str]:
    """Return what each rule that leaves a row out says of it."""
    from leapstudy.students.rules import PANEL_RULES, PART_RULES, VISIT_RULES

    by_rule = {rule.id: rule.explanation for rule in (*PANEL_RULES, *VISIT_RULES)}
    return {rule: words for rule, (_, words) in PART_RULES.items()} | by_rule


def _forget_old(folder: Path) -> None:
    newest_first = sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
    for file in newest_first[KEPT:]:
        file.unlink()


def open_own(settings: StudentSettings, *, inside: bool = True) -> "StudentData":
    """Open the files that the parameters name; `inside` as in `leapstudy.students.handle.open_students`."""
    from leapstudy.students.handle import open_named  # imports the engine for seconds; most calls find a stored state

    return open_named(settings, tuple(load_study(started=False).districts["district_code"]), inside=inside)


def told_numbers(settings: StudentSettings) -> Iterator[str]:
    """Yield the students' own numbers in the files, for the last look at the pages; never all of them at once."""
    if settings.simulated:
        return
    from leapstudy.students.engine import connect
    from leapstudy.students.guard import holds_pseudonym
    from leapstudy.students.pseudonyms import listed_ids
    from leapstudy.students.readers import panel_of, read_visits

    files, how = input_files(settings), settings.reading
    con = connect(settings.memory_limit, engine=settings.engine)
    panel = panel_of(con, files["attendance"], how, settings.shape or None, files.get("roster")).table
    for table in (panel, read_visits(con, files["visits"], how).table):
        for ids in listed_ids(table):
            yield from (number for number in ids if not holds_pseudonym(number))


def _state(settings: StudentSettings, hashes: dict[str, str]) -> list[dict[str, Any]]:
    from leapstudy.study.student_estimates import measure, student_answer  # imports the engine

    require_students_open(settings)
    data = open_own(settings)
    measures = measure(data, settings)
    counts, truth = protected(measures.counts), _truth(settings)
    support_table = supports(counts, data.supports)
    places = {place.code: place for place in places_of([code for code in measures.codes if code != ALL], settings)}
    accounts = [jsonable(account) for report in data.reports for account in report.accounts]
    states = []
    for code in measures.codes:
        district = District(ALL, "all districts with visits", ALL_SLUG) if code == ALL else places[code]
        slug, name = district.slug, district.name
        rule = next((rule for rule in measures.rules if rule.district_code == code), None)
        states.append(
            {
                "name": short(district.name),
                "slug": slug,
                "answer": student_answer(measures, code, name, settings),
                "simulated": measures.simulated,
                "funnel": funnel(counts, code),
                "supports": support_table,
                "rule_shares": rule_shares(measures.shares, rule),
                "truth": None if truth is None else _of(truth, code),
                "placebo_students": rounded(0 if measures.placebo is None else _n_picked(measures.placebo, code)),
                "published": _published(slug),
                "period": measures.period,
                "hashes": hashes,
                "source_name": settings.source,
                "rows": set_aside(accounts, explanations()),
            }
        )
    return states


# Students by the dimensions that are not their total, as pairs of name and value; NaN where hidden.
Counts = Mapping[frozenset[tuple[str, str]], float]


def protected(counts: pd.DataFrame) -> Counts:
    """Return the counts of all districts and tables as they may be shown together."""
    table = counts.assign(numerator=counts["students"], denominator=counts["students"]).drop(columns="students")
    by = [name for name in counts if name != "students"]
    safe = protect({"visits": table}, by, min_group=MIN_COUNT)["visits"]
    return {
        frozenset((name, value) for name, value in zip(by, key, strict=True) if value != ALL): number
        for *key, number in safe[[*by, "numerator"]].itertuples(index=False)
    }


def _count(counts: Counts, /, **values: str) -> float:
    return float(counts.get(frozenset(item for item in values.items() if item[1] != ALL), 0.0))


def funnel(counts: Counts, code: str) -> pd.DataFrame:
    """Return step and students; a step is empty where one of its parts is hidden, or it is itself of a few."""
    enrolled = _count(counts, district_code=code)
    status = {
        name: _count(counts, district_code=code, status=name)
        for name in ("not referred", "referred, not tried", "tried, not met", VISITED)
    }
    again = [_count(counts, district_code=code, status=VISITED, visits=number) for number in ("2", "3 or more")]
    steps = {
        "enrolled": enrolled,
        "referred": enrolled - status["not referred"],
        "tried": status["tried, not met"] + status[VISITED],
        "visited": status[VISITED],
        "visited twice or more": sum(again),
    }
    table = pd.DataFrame({"step": list(steps), "students": list(steps.values())})
    return table.assign(students=table["students"].mask(table["students"].between(0, MIN_COUNT, inclusive="neither")))


def supports(counts: Counts, names: Sequence[str]) -> pd.DataFrame:
    """Return support and share of the visited students of all districts who were given it, the most common first.

    Empty where nobody was given any: the log does not tell, since who visits gives something to somebody.
    """
    visited = _count(counts, district_code=ALL, status=VISITED) or np.nan
    shares = {name: _count(counts, district_code=ALL, status=VISITED, **{name: "yes"}) / visited for name in names}
    table = pd.DataFrame({"support": list(shares), "share": list(shares.values())}).dropna()
    if not table["share"].any():
        table = table.iloc[:0]
    return table.sort_values("share", ascending=False, ignore_index=True)


def rule_shares(shares: pd.DataFrame, rule: ReferralRule | None) -> pd.DataFrame:
    """Return cut, referred_share, others_share in the rule's window; a share of all but a few, or of few, is hidden."""
    if rule is None:
        return pd.DataFrame({"cut": [], "referred_share": [], "others_share": []}, dtype=float)
    rows = shares[shares["window"] == rule.window]
    rows = rows if rule.district_code == ALL else rows[rows["district_code"] == rule.district_code]
    sides = {"referred_share": rows["referred"], "others_share": rows["at_risk"] - rows["referred"]}
    table = {"cut": list(CUTS)} | {
        name: [_share(side[rows["percent"] >= cut].sum(), side.sum()) for cut in CUTS] for name, side in sides.items()
    }
    return pd.DataFrame(table)


def _share(part: float, whole: float) -> float:
    few = whole < MIN_GROUP or 0 < part < MIN_COUNT or 0 < whole - part < MIN_COUNT
    return np.nan if few else round(part / whole, 3)


def _n_picked(side: Any, code: str) -> int:
    own = np.isfinite(side.moments.cohort) & ((side.moments.district == code) | (code == ALL))
    return int(side.moments.students[own].sum())


def _truth(settings: StudentSettings) -> pd.DataFrame | None:
    if not settings.simulated:
        return None
    from leapstudy.students.simulate import default_simulation

    table = pd.read_csv(default_simulation().truth, dtype={"district_code": "str"})
    table = table[table["district_code"] != ALL].assign(summed=table["effect_pp"] * table["students"])
    own = table.groupby(["district_code", "event_time"], as_index=False)[["summed", "students"]].sum()
    everyone = own.groupby("event_time", as_index=False)[["summed", "students"]].sum().assign(district_code=ALL)
    both = pd.concat([own, everyone], ignore_index=True)
    return both.assign(effect_pp=both["summed"] / both["students"])


def _of(truth: pd.DataFrame, code: str) -> pd.DataFrame:
    own = truth[(truth["district_code"] == code) & (truth["event_time"] <= 9)]
    return own[["event_time", "effect_pp"]].reset_index(drop=True)


def _published(slug: str) -> pd.DataFrame:
    """Return the published effects: general ones, and those of a single district on its own page and that of all."""
    table = load_facts().published_effects
    if table.empty:
        return pd.DataFrame({"who": [], "month": [], "effect_pp": []})
    units = load_study(started=False).districts
    own = table["who"].map(dict(zip(units["district"].map(short), units["slug"], strict=True)))
    table = table.rename(columns={"months_after_first_visit": "month"})[["who", "month", "effect_pp"]]
    return table[own.isna() | (own == slug) | (slug == ALL_SLUG)].reset_index(drop=True)
