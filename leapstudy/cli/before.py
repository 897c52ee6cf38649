"""Commands before a program starts: `design` tries, `plan` freezes what was decided, `draw` holds the lottery."""

from pathlib import Path
from typing import Annotated

import typer

from leapstudy.cli.typed import say

DESIGN = "Example: leapstudy design --track units"
PLAN = "Example: leapstudy plan --freeze"
DRAW = "Example: leapstudy draw --out ~/private"


def design(
    track: Annotated[str, typer.Option(help="students or units; as in params/rollout.yml if not given.")] = "",
    dollars: Annotated[float | None, typer.Option(min=0, help="Another budget.")] = None,
) -> None:
    """Say who may be drawn, what a lottery of them would find in past periods, and what the budget reaches."""
    from leapstudy.core.phrases import number, percent
    from leapstudy.data.names import outcome_unit
    from leapstudy.study.rollout.choices import asked
    from leapstudy.study.rollout.scenarios import design as try_out
    from leapstudy.study.rollout.written_plan import why_not_frozen
    from leapstudy.words import rollout as words

    trial = try_out(asked(track, dollars))
    for finding in (words.eligible(trial), words.money(trial)):
        say(str(finding))
    for item in trial.scenarios:
        size = number(item.detectable_visited, 1) if words.can_be(item) else "none"
        unit = outcome_unit(item.outcome)
        words_found = f"detectable {number(item.dealt.detectable)} {unit} on all offered, {size} on {trial.whom}"
        if not words.possible(item.dealt.detectable, item.outcome):
            words_found = "no effect detectable, however large"
        say(
            f"  {words.outcome_words(item.outcome)}, {words.scenario_words(item)}: {item.dealt.n_offered:,} of "
            f"{item.dealt.n_units:,}; {words_found}; "
            f"false positives of an ordinary 95% CI {percent(item.dealt.false_positive_t)}"
            f"{'' if item.affordable else '; beyond the budget'}"
        )
    unfrozen = words.unfrozen(why_not_frozen(trial.chosen.track))
    for sentence in filter(
        None, (words.refusals(trial), words.why_by_lot(trial), words.recommendation(trial), unfrozen)
    ):
        say(str(sentence))


def plan(
    freeze: Annotated[
        bool, typer.Option("--freeze", help="Write and freeze the plan from params/rollout.yml.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why a plan that is frozen already changes.")] = "",
) -> None:
    """Say what was planned and whether the plan is older than its figures; freeze one from params/rollout.yml."""
    from leapstudy.data import load_study
    from leapstudy.study.public import load_plan
    from leapstudy.study.rollout import written_plan
    from leapstudy.study.rollout.choices import load_rollout

    rollout, data = load_rollout(), load_study(started=False)
    if data.starts:  # a program that nobody has yet has no plan of record
        record = load_plan()
        say(f"params/plan.yml, frozen as {record['frozen'][:12]}: {written_plan.record_age(record, data)}")
    frozen = written_plan.freeze(rollout, reason) if freeze else written_plan.kept_plan()
    if not frozen:
        say("No rollout is planned. Decide in params/rollout.yml, then: leapstudy plan --freeze")
        return
    choices = frozen["choices"]
    say(f"params/{written_plan.FILE}, frozen as {frozen['frozen'][:12]} on {frozen['written']}: {choices['question']}")
    if choices["track"] == "students":
        months = written_plan.planned_months(frozen, written_plan.known_months())
        say(f"It measures over the {len(months)} school months after {frozen['decided_after']}: {', '.join(months)}.")
    say(written_plan.plan_age(frozen))


def draw(
    out: Annotated[Path | None, typer.Option(help="Folder of the list; of students a private one.")] = None,
    reason: Annotated[str, typer.Option(help="Why there is a second draw; it stays on record.")] = "",
    check: Annotated[Path | None, typer.Option(help="Draw nothing: hold this list against seed and record.")] = None,
    starts: Annotated[
        Path | None, typer.Option(help="Draw nothing: write this list's starts where they belong.")
    ] = None,
) -> None:
    """Hold the lottery of params/rollout.yml: who starts when, and who waits, from a seed announced beforehand."""
    from leapstudy.students.disclosure import shown
    from leapstudy.students.settings import load_settings
    from leapstudy.study.rollout.choices import load_rollout
    from leapstudy.study.rollout.lots import JOINED, begun, hold, write_starts
    from leapstudy.study.rollout.records import read_draw

    if starts is not None:
        from leapstudy.words import rollout as words

        say(words.starts_written(*write_starts(starts)))
        return
    if check is not None:
        record, assignment = read_draw(check)
        say(f"{check.name}: {len(assignment):,} drawn on {record.made_at}. Seed and list give the same draw again.")
        return
    rollout = load_rollout()
    lottery = hold(rollout, out.expanduser() if out else None, reason)
    record = lottery.record
    phases = ", ".join(f"{phase}: {places:,}" for phase, places in record.phases.items())
    say(f"Drawn from {record.n_units:,} ({record.rule}). {phases}; waiting: {record.waiting:,}.")
    joined_words = f"{lottery.joined:,}" if record.track == "units" else shown(lottery.joined)
    note = f"; {joined_words} are in {JOINED}, too small for lots of their own" if lottery.joined else ""
    say(f"Lots within: {record.strata}{note}. Seed {record.seed!r}, announced {record.announced}.")
    where = (
        "in the private folder, readable by you alone"
        if lottery.private
        else f"in {lottery.path.parent.name}/{lottery.path.name}"
    )
    say(f"The list is {where}; SHA-256 {record.list_sha256}. On record in params/draws.json.")
    if not record.plan_sha256:
        say("No plan was frozen before this draw (leapstudy plan --freeze): the record says so.")
    if late := begun(record.made_at, rollout.starts(load_settings().rollout.starts), rollout.track):
        say(late)
    if not lottery.private:
        say(f"Next, once figures reach their start: leapstudy draw --starts {lottery.path}")
