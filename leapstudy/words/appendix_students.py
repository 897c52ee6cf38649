"""Points of the student track's appendix on the design, from aggregates alone; a count that is hidden stays hidden."""

from typing import Any

import pandas as pd

from leapstudy.core.phrases import number, percent
from leapstudy.core.table import Table
from leapstudy.students.disclosure import MIN_COUNT, MIN_GROUP
from leapstudy.study.student_results import RECOMMENDED
from leapstudy.words.appendix_source import Answer, Source, absent


def estimand(source: Source) -> Answer:
    """What is estimated, with its card."""
    reading = source.reading
    outcome = "attendance" if reading.outcome == "attendance_rate" else reading.outcome.replace("_", " ")
    if reading.draw is not None:
        card = source.at("answer", "lottery", "card")
        text = (
            f"The average effect of being offered visits by lot on {outcome} (intention-to-treat), {reading.post}, "
            f"against {reading.n_comparison:,} students who wait; base: {reading.pre}. The points below are of the "
            "design without a draw, which stands beside it as a check."
        )
        return text, Table(pd.DataFrame(card, columns=["What", "Value"]), "The draw")
    if source.at("answer", "primary") is not None:
        return (
            f"The plan's primary outcome is {outcome}: the average effect of a first visit on visited students (ATT), "
            f"{reading.post}, doubly robust over {reading.pre} and history, errors by school. The points below are of "
            "attendance, which is secondary here."
        )
    text = (
        f"The average effect of a first visit on the attendance of visited students (ATT), over {source.reading.post} "
        f"since that visit: "
        "the mean over visited students of Y(visited then) − Y(not visited yet), in percentage points of days enrolled."
    )
    card = design_of(source)["card"]
    return text, Table(pd.DataFrame(card, columns=["What", "Value"]), "The estimand card")


def comparison(source: Source) -> str:
    """The comparison group."""
    return (
        f"{source.reading.n_comparison:,} students of the same district who were not visited yet, at risk in the same "
        "month and in the same band of absence over the months before. Students are visited because they were absent, "
        "so students who were not are no comparison; other groups stand beside this one in point 13."
    )


def unit(source: Source) -> str:
    """Unit, period and weights."""
    return (
        f"The unit is a student in a calendar month, {source.at('period') or 'period not kept'}; days attended over "
        "days enrolled. Cohorts by month of the first visit are weighted by their visited students."
    )


def trends(source: Source) -> str:
    """Which parallel trends are assumed."""
    return (
        "Within a month and a band of absence before, visited students would have changed as much as students at risk "
        f"who were not visited yet, had they not been visited. Base: {source.reading.pre}; on the scale of points."
    )


def anticipation(source: Source) -> str:
    """The window of anticipation."""
    months = dict(design_of(source)["card"]).get("Anticipation (months)", "0")
    return (
        f"Anticipation is allowed for {months} months before the first visit: nothing is taken to change until the "
        f"visit itself."
    )


def raw(source: Source) -> Answer:
    """Raw means."""
    rows = source.frame("answer", "raw_paths")
    if rows is None or rows.empty:
        return "Not possible: every season of first visits has too few students to be shown."
    wide = rows.pivot(index="month", columns="group", values="rate_pct").reset_index(names="Month")
    text = (
        "Plotted before any model in the notebook, and here as a table; the fall before a visit is the referral "
        "rule at work."
    )
    return text, Table(wide, "Mean attendance by month and season of the first visit, percent", 1)


def event_study(source: Source) -> Answer:
    """The event study."""
    rows = pd.DataFrame(design_of(source)["path"])
    names = ["Months since the visit", "Estimate", "Low", "High", "Low, all months", "High, all months"]
    shown = rows[["event_time", "estimate_pp", "low_pp", "high_pp", "low_sup_pp", "high_sup_pp"]].set_axis(
        names, axis=1
    )
    text = f"Base: {source.reading.pre}. Pointwise 95% intervals, and a band that holds for all months at once (sup-t)."
    return text, Table(shown, "Effect by month since the first visit, points")


def baseline(source: Source) -> str:
    """The baseline mean."""
    rows = source.frame("answer", "rebound")
    if rows is None or rows.empty:
        return (
            "Not possible: the files hold too few months before the first visit to show the same kind of student "
            "without visits."
        )
    before = rows[rows["event_time"] < 0]
    return (
        "Students whom the referral rule would have picked before there was any visit attended "
        f"{number(before['picked_pct'].mean(), 1)}% of days in the {len(before)} months before, and other students "
        f"{number(before['others_pct'].mean(), 1)}%."
    )


def staggered(source: Source) -> str:
    """Staggered timing."""
    return (
        "Each cohort is compared with students who were not visited yet in the same month, never with students "
        "visited earlier: forbidden comparisons cannot arise. Two-way fixed effects is not among the designs, so that "
        "it has no weights to show."
    )


def scale(source: Source) -> str:
    """Points and log-odds."""
    return (
        "Not possible: the sums that leave the engine are of rates, and their log-odds cannot be had from them. Near "
        "the ceiling points understate: who misses 5% of days cannot gain more than 5."
    )


def composition(source: Source) -> str:
    """Composition and missing figures."""
    own = design_of(source)
    refused = " ".join(own["refused"]) or "No cell was refused."
    return (
        f"The estimate covers {percent(own['overlap'], 0)} of the visited students. {refused} A student counts in the "
        f"months of enrollment; nobody is dropped for coming late or leaving. A count under {MIN_COUNT}, or of a "
        f"group under {MIN_GROUP}, is hidden, and so is any from which it could be had by taking away."
    )


def reach(source: Source) -> Answer:
    """What could have been seen."""
    mde, published = source.reading.mde, source.frame("published")
    if mde is None:
        return absent("smallest detectable effect")
    text = f"Smallest detectable effect {number(mde)} points with 80% power at 5%."
    if published is None:
        return text
    shown = published[["who", "month", "effect_pp"]].assign(seen=published["effect_pp"].abs() >= mde)
    names = ["Published effect on", "Month", "Points", "Large enough to be seen"]
    return text, Table(shown.set_axis(names, axis=1), "Published effects beside what can be detected", 0)


def together(source: Source) -> str:
    """All districts together."""
    if source.reading.code == "ALL":
        return (
            "This page is of all districts together: students are compared within their own district, then "
            "averaged by visited students."
        )
    return (
        "See the page of all districts together; among many districts some look good by chance, so that none may "
        "be picked for its size."
    )


def design_of(source: Source, name: str = RECOMMENDED) -> dict[str, Any]:
    """Return one design of the result, the recommended one by default."""
    return next(item for item in source.at("answer", "designs") if item["name"] == name)
