"""Whether the last batch still says what the data, the package and the parameters of today would say."""

from collections.abc import Mapping, Sequence
from html import escape

from leapstudy.batch.last_batch import reasons
from leapstudy.batch.plan import make_plan
from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.core.live import Controls
from leapstudy.data import StudyData

NAMED = 3
"""Runs that are named one by one; more are counted."""
UNSEEN = "Open and run this notebook to see whether the last batch is fresh, or type `leapstudy status`."


def last_batch(data: StudyData) -> str:
    """Say whether the last public batch is fresh, and if not, which part changed for which runs."""
    folder = paths.reports()
    try:
        plan = make_plan(data, [], "public", {}, folder)
    except BadInput as reason:
        return f"No batch can be run as things stand. {reason}"
    return freshness_words(reasons(plan, folder))


def freshness_words(why: Mapping[str, Sequence[str]]) -> str:
    """Return the verdict from run -> why it is stale (empty where it is fresh)."""
    stale: dict[str, list[str]] = {}
    for slug, found in why.items():
        for reason in found:
            stale.setdefault(reason, []).append(slug)
    if not stale:
        return f"The last batch is fresh: data, package and parameters are unchanged for all {len(why)} runs."
    if list(stale) == ["never run"] and len(stale["never run"]) == len(why):
        return "There is no batch yet. `leapstudy run` makes one."
    told = "; ".join(f"{reason} ({_runs(slugs, len(why))})" for reason, slugs in stale.items())
    return f"The last batch is stale: {told}. `leapstudy run` makes again what is stale."


def _runs(slugs: Sequence[str], of: int) -> str:
    if len(slugs) == of:
        return f"all {of} runs"
    return ", ".join(slugs) if len(slugs) <= NAMED else f"{len(slugs)} of {of} runs"


def banner(data: StudyData, *, live: bool = True) -> Controls:
    """Return the verdict as a banner; only an open notebook shows it, since a saved one cannot know."""
    if not live:
        return Controls(None, UNSEEN)
    from ipywidgets import HTML

    return Controls(HTML(f"<strong>{escape(last_batch(data))}</strong>"), UNSEEN)
