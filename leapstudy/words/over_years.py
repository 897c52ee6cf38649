"""What an outcome over many years shows: one finding for the picture, and one for what flagged years do to the
headline.
"""

import math

from leapstudy.core.estimate import Estimate
from leapstudy.data.names import (
    comparison_short,
    comparison_words,
    counted_units,
    outcome_words,
    program_name,
    study_names,
)
from leapstudy.evidence.verdict import can_reject, excludes_zero, rejects
from leapstudy.study.over_years import SCALES, OverYears
from leapstudy.words.sentences import Catalog, Finding

CATALOG = Catalog("over_years")


def side_words(answer: OverYears) -> str:
    """Return the treated side as a sentence names it: the district, or how many districts of the program."""
    return answer.name if answer.n_treated == 1 else counted_units(answer.n_treated, program_name())


def comparison_side(answer: OverYears) -> str:
    """Return the comparison side with its number: ``19 districts without the program``."""
    if answer.comparison in study_names().state.groups:
        return f"{answer.n_comparison} {comparison_words(answer.comparison)}"
    return f"{counted_units(answer.n_comparison)} {comparison_short(answer.comparison)}"


def over_years(answer: OverYears) -> Finding:
    """Say how the difference since the last year before the program moved, on both scales, since they can disagree."""
    levels = answer.levels[answer.levels["group"] == "treated"].set_index("year")["percent"]
    verb = "rose" if levels[answer.after[-1]] >= levels[answer.before[-1]] else "fell"
    tables = (study.table[study.table["event_time"] >= 0] for study in (answer.points, answer.odds))
    in_points, in_odds = (_more(table["estimate_pp"].tolist(), verb) for table in tables)
    if in_points == in_odds:
        how = CATALOG.say("alike", points=in_points)
    else:
        how = CATALOG.say("unlike", points=in_points, odds=in_odds)
    clear = [
        any(excludes_zero(*row.ends) for row in published(answer, name).values()) for name in ("did", "did_logodds")
    ]
    tail = ("neither", "odds", "points", "both")[2 * clear[0] + clear[1]]
    last = published(answer)[answer.after[-1]]
    return CATALOG.finding(
        "finding",
        last.estimate_pp,
        last.ends,
        moved=verb,
        how=how,
        tail=CATALOG.by("tails", tail),
        detail=" ".join(_parts(answer)),
        **_sides(answer),
    )


def _parts(answer: OverYears) -> list[str]:
    """Return what stands under the title: since when, a sentence a later year, and what holds for all of them."""
    years = [_year(answer, row) for row in published(answer).values()]
    of_all = f"{_at_once(answer)}{_without_flagged(answer)} {answer.later}".strip()
    return [CATALOG.say("since", **_sides(answer)), *years, of_all]


def _sides(answer: OverYears) -> dict[str, str]:
    return {
        "what": outcome_words(answer.outcome),
        "side": side_words(answer),
        "beside": comparison_side(answer),
        "base": answer.before[-1],
        "later": answer.later,
    }


def published(answer: OverYears, estimator: str = "did") -> dict[str, Estimate]:
    """Return each later year's row of `estimates.csv`: its interval is that of the preferred test."""
    base = answer.before[-1]
    own = (row for row in answer.estimates if row.estimator == estimator and row.comparison == answer.comparison)
    return {row.post: row for row in own if row.pre == base and row.post in answer.after}


def in_short(answer: OverYears) -> str:
    """Say in two sentences what the first and the last later year show since the last year before the program."""
    rows = [row for year, row in published(answer).items() if year in (answer.after[0], answer.after[-1])]
    changes = " and ".join(CATALOG.say("change", row=row, ends=row.ends) for row in rows)
    apart = any(excludes_zero(*row.ends) for row in rows)
    verdict = CATALOG.say("apart" if apart else "neither_apart" if len(rows) > 1 else "not_apart")
    return CATALOG.say("in_short", changes=changes, verdict=verdict, **_sides(answer))


def _more(values: list[float], verb: str) -> str:
    """Return ``more``, ``less`` or ``as much`` by the sign of all later years; a fall of more is a lower value."""
    up = sum(value > 0 for value in values)
    if 0 < up < len(values):
        return CATALOG.say("mixed")
    return "more" if (up > 0) == (verb == "rose") else "less"


def _year(answer: OverYears, row: Estimate) -> str:
    its = answer.odds.table.set_index("year").loc[row.post]
    odds = [math.exp(its[name]) for name in ("estimate_pp", "low_pp", "high_pp")]
    return CATALOG.say("year", row=row, ends=row.ends, odds=odds)


def _without_flagged(answer: OverYears) -> str:
    sentences = []
    rows = answer.unflagged
    for row, odds in zip(*(rows[rows["scale"] == scale].itertuples() for scale in SCALES), strict=True):
        factors = [math.exp(value) for value in (odds.estimate, odds.low, odds.high)]
        slots = {"names": flagged_names(answer, row.year), "row": row, "ends": (row.low, row.high), "odds": factors}
        sentences.append(CATALOG.say("without_flagged", **slots))
    return "".join(sentences)


def _at_once(answer: OverYears) -> str:
    """Say how many later years leave the simultaneous band of the event study in points."""
    table = answer.points.table[~answer.points.table["is_reference"]]
    later = table[table["event_time"] >= 0]
    away = int(((later["low_sup_pp"] > 0) | (later["high_sup_pp"] < 0)).sum())
    return CATALOG.say("at_once", away=away, n=len(later), all=len(table), sup_t=answer.points.sup_t)


def flagged_names(answer: OverYears, year: str) -> str:
    """Return the treated districts whose figure of a year is flagged."""
    codes = answer.unflagged.loc[answer.unflagged["year"] == year, "units"].iloc[0].split(", ")
    names = answer.flags.drop_duplicates("unit").set_index("unit")["district"]
    return " and ".join(str(names[code]) for code in codes)


def flagged_headline(answer: OverYears) -> Finding | None:
    """Say what the planned main estimate is without treated districts whose figures are flagged; None without such."""
    if not answer.headline_without:
        return None
    rows = answer.headline_without
    lines = "; ".join(CATALOG.say("headline_without", row=row, ends=row.ends) for row in rows)
    return CATALOG.finding("flagged_headline", told=lines)


def flagged_district(answer: OverYears) -> Finding | None:
    """Say on a district's own page that one of its figures is flagged; None where none is."""
    own = answer.flags[answer.flags["unit"] == answer.code]
    if own.empty:
        return None
    flags = "; ".join(CATALOG.say("flag", row=row) for row in own.itertuples())
    return CATALOG.finding("flagged_district", name=answer.name, told=flags)


def synthetic(answer: OverYears) -> Finding | None:
    """Say what weights of the comparison districts, fitted to the years before, give for one district."""
    if answer.synthetic is None:
        return None
    did, control = answer.synthetic.methods
    if did.estimate_pp is None or did.p_value is None:
        return CATALOG.finding("unweighted", name=answer.name, refusal=did.refusal)
    bounded, clear = did.low_pp is not None and did.high_pp is not None, rejects(did.p_value)
    return CATALOG.finding(
        "weighted",
        name=answer.name,
        outcome=answer.outcome,
        verdict=CATALOG.say(("clear" if clear else "unclear") if can_reject(did.p_floor) else "untestable"),
        before=len(answer.before),
        after=len(answer.after),
        did=did,
        interval=CATALOG.say("interval", ends=(did.low_pp, did.high_pp)) if bounded else "",
        floor=did.p_floor or 0,
        control=CATALOG.say("control_refused" if control.estimate_pp is None else "control", row=control),
        chance=CATALOG.say("chance") if clear else "",
    )


def told(answer: OverYears | None) -> str:
    """Return every sentence of a page, a paragraph a year: the finding, and what flagged figures do to the answer."""
    if answer is None:
        has_long = any(outcome.long for outcome in study_names().state.outcomes.values())
        return CATALOG.say("unformed" if has_long else "undeclared")
    first, others = over_years(answer), (synthetic(answer), flagged_headline(answer), flagged_district(answer))
    since, *rest = _parts(answer)
    return "\n\n".join([f"{first.title}. {since}", *rest, *(str(finding) for finding in others if finding is not None)])
