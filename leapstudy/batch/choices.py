"""What the explorer says of the batch: the command equal to a choice, its parameters, and whether the last is fresh."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import yaml

from leapstudy.batch.last_batch import reasons
from leapstudy.batch.params import KEYS, StudyParams, read_params, resolve
from leapstudy.batch.plan import make_plan, notebook_of, settable
from leapstudy.core import paths
from leapstudy.core.errors import BadInput, attempt
from leapstudy.core.files import write_text_atomic
from leapstudy.core.live import Controls
from leapstudy.core.names import ALL_SLUG
from leapstudy.data import StudyData
from leapstudy.did.comparison import comparison_label
from leapstudy.did.design import Spec


@dataclass(frozen=True, slots=True)
class Tools:
    """What the explorer borrows from the batch: the equal command, and saving a choice as a parameter file."""

    command: Callable[[str, Spec], str]
    save: Callable[[str, Spec, str], str]


def command(slug: str, spec: Spec) -> str:
    """Return the command that asks the same, with only what `params/` does not say already.

    The pooled run comes with a full batch, so that its command names no district.
    """
    differing = _differing(slug, spec, resolve(slug, {}).model_dump())
    target = [] if slug == ALL_SLUG else [slug]
    return " ".join(["leapstudy run", *target, *(f"--set {key}={value}" for key, value in differing.items())])


def save(slug: str, spec: Spec, reason: str) -> str:
    """Write what differs from `params/study.yml` as the district's parameter file, and say what was done.

    Parameters
    ----------
    slug
        Name of the run.
    spec
        The choice.
    reason
        Why the district is asked differently; it stands in the file beside each value.

    Raises
    ------
    BadInput
        If no reason is given.
    """
    path = paths.params() / "districts" / f"{slug}.yml"
    differing = _differing(slug, spec, read_params(paths.params() / "study.yml", required=True))
    if not differing and not path.is_file():
        return "Nothing was saved: this choice is what params/study.yml says already."
    if not reason.strip():
        raise BadInput("Nothing was saved: give the reason first, it stands in the file beside each value.")
    content = {key: {"value": value, "reason": reason.strip()} for key, value in differing.items()}
    header = "# Written by the explorer; only what differs from params/study.yml.\n"
    write_text_atomic(path, header + (yaml.safe_dump(content, sort_keys=False, allow_unicode=True) if content else ""))
    resolve(slug, {})
    return (
        f"Saved as params/districts/{path.name}: {', '.join(differing) or 'nothing differs any more'}. Now "
        f"`leapstudy run {slug}` asks this."
    )


def _differing(slug: str, spec: Spec, base: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the run's notebook reads and is not what `base` says; it would refuse anything else."""
    reads = settable([notebook_of(slug)])
    values = {key: getattr(spec, key) for key in KEYS if key in reads} | {
        "comparison": comparison_label(spec.comparison)
    }
    return {
        key: value for key, value in values.items() if base.get(key, StudyParams.model_fields[key].default) != value
    }


TOOLS = Tools(command, save)


# Runs that are named one by one; more are counted.
NAMED = 3
UNSEEN = "Open and run this notebook to see whether the last batch is fresh, or type `leapstudy status`."


def last_batch(data: StudyData) -> str:
    """Say whether the last public batch is fresh, and if not, which part changed for which runs."""
    folder = paths.reports()
    plan, reason = attempt(make_plan, data, [], "public", {}, folder)
    if plan is None:
        return f"No batch can be run as things stand. {reason}"
    return freshness_words(reasons(plan, folder))


def freshness_words(why: Mapping[str, Sequence[str]]) -> str:
    """Return the verdict from run -> why it is stale (empty where it is fresh)."""
    stale: dict[str, list[str]] = {}
    for slug, causes in why.items():
        for reason in causes:
            stale.setdefault(reason, []).append(slug)
    if not stale:
        return f"The last batch is fresh: data, package and parameters are unchanged for all {len(why)} runs."
    if list(stale) == ["never run"] and len(stale["never run"]) == len(why):
        return "There is no batch yet. `leapstudy run` makes one."
    words = "; ".join(f"{reason} ({_runs(slugs, len(why))})" for reason, slugs in stale.items())
    return f"The last batch is stale: {words}. `leapstudy run` makes again what is stale."


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
