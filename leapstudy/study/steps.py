"""The later steps from a state's files to a study: every group and contrast is formed once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from leapstudy.core.errors import attempt
from leapstudy.core.phrases import counted
from leapstudy.data import StudyData
from leapstudy.data.steps import WAITS, Step, Workspace
from leapstudy.did.comparison import comparison_codes
from leapstudy.did.design import Spec, build_sample

# Comparison units below which no spread can be told from chance.
FEWEST = 3
# Comparison units from which one treated unit can reach p = 0.05 by permutation: 1 / (19 + 1).
SIGNIFICANT = 19


def later_steps(space: Workspace, data: StudyData | None, headline: Mapping[str, str]) -> Iterator[Step]:
    """Walk over the steps that need samples.

    Parameters
    ----------
    space
        The workspace.
    data
        The study's tables, of their sound rows where some are not; None while they cannot be read at all.
    headline
        What `params/study.yml` asks: contrast, edition and outcome by name; empty where it cannot be told.
    """
    if data is None:
        yield Step("groups", WAITS, space.by_step["groups"])
        yield Step("contrasts", WAITS, space.by_step["contrasts"])
        return
    yield _groups(space, data)
    yield _contrasts(space, data, headline)


def _groups(space: Workspace, data: StudyData) -> Step:
    sizes, faults = [], []
    for name in data.state.groups:
        codes, fault = attempt(comparison_codes, data, name)
        if codes is None:
            faults.append(f"{name}: {fault}")
            continue
        n = len(codes)
        if n < FEWEST:
            faults.append(f"{name}: {counted(n, 'unit')} in its rule; at least {FEWEST} are needed. Widen `where`.")
        floor = f" (p of one unit alone at least {1 / (n + 1):.2f})" if n < SIGNIFICANT else ""
        sizes.append(f"{name} {n}{floor}")
    return Step("groups", ", ".join(sizes), (*space.by_step["groups"], *faults))


LATE = " Or say `hidden: leave out` under `unit:`: who starts so late is left out until figures reach it, and named."


@dataclass(frozen=True, slots=True)
class Formed:
    """One contrast tried for one outcome, edition and start: the sizes of its sample, or why there is none."""

    contrast: str
    outcome: str
    edition: str
    start: str
    n: str
    why: str


def tried(data: StudyData) -> list[Formed]:
    """Return every contrast of every outcome, edition and start, formed or not."""
    sizes = {name: len(attempt(comparison_codes, data, name)[0] or ()) for name in data.state.groups}
    group = next((name for name, size in sizes.items() if size >= FEWEST), data.state.usual("groups"))
    pairs = [(outcome, edition) for outcome in data.state.outcomes for edition in data.state.editions]
    return [
        _formed(data, Spec(comparison=group, contrast=contrast, edition=edition, outcome=outcome), start)
        for contrast in data.state.contrasts
        for outcome, edition in pairs
        for start in sorted(set(data.starts.values()))
    ]


def _formed(data: StudyData, spec: Spec, start: str) -> Formed:
    codes = [code for code, year in data.starts.items() if year == start]
    names = (spec.contrast, spec.outcome, spec.edition, start)
    sample, why = attempt(build_sample, data, spec, codes)
    return Formed(*names, f"{len(sample.treated)} against {len(sample.comparison)}" if sample else "", why)


def _sizes(contrast: str, own: Sequence[Formed]) -> list[str]:
    """Return the sizes of a contrast's first outcome that can be formed, for each start."""
    best = next((item for item in own if item.n), None)
    if best is None:
        return []
    alike = [item for item in own if (item.outcome, item.edition) == (best.outcome, best.edition)]
    each = ", ".join(f"{item.n or 'not formed'} (start {item.start})" for item in alike)
    return [f"{contrast}: {each.replace('(', f'({best.outcome}, ', 1)}"]


def _contrasts(space: Workspace, data: StudyData, headline: Mapping[str, str]) -> Step:
    """The contrast asked for is there for every start; every other one for some outcome, edition and start."""
    faults, sizes = [], []
    samples = tried(data)
    for name in data.state.contrasts:
        own = [item for item in samples if item.contrast == name]
        if not any(item.n for item in own):
            first = next((item for item in own if item.outcome == headline.get("outcome")), own[0])
            faults.append(f"{name} can be formed of nothing: {first.why}")
        sizes += _sizes(name, own)
    for item in samples:
        if headline and item.why and all(getattr(item, key) == value for key, value in headline.items()):
            faults.append(
                f"{item.contrast}, which params/study.yml asks for, for the start {item.start}: {item.why}"
                + (LATE if item.start > data.newest > min(data.starts.values()) else "")
            )
    return Step("contrasts", "; ".join(sizes), (*space.by_step["contrasts"], *dict.fromkeys(faults)))
