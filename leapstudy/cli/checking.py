"""The command that leads to the first page: numbered steps, all faults of all steps together, the next step said."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leapstudy.cli.typed import say
from leapstudy.core import paths
from leapstudy.core.errors import BadInput, attempt

if TYPE_CHECKING:
    from leapstudy.data.steps import Step, Workspace


def check(
    path: Annotated[Path | None, typer.Argument(help="A student file; the workspace itself if none is given.")] = None,
) -> None:
    """Validate data and parameters step by step without running anything; all faults are told together."""
    if path is not None:
        raise typer.Exit(_check_students(path))
    from leapstudy.batch.copied import copied
    from leapstudy.batch.plan import ROLLOUT, no_rollout, others
    from leapstudy.core.phrases import capital
    from leapstudy.data.steps import STEPS

    faulty, readable = [], True
    for step, todo in _steps():
        if step.faults:
            faulty.append(step.text())
            readable &= step.number > STEPS.index("codes") + 1
        else:
            say(f"{step.number} {capital(step.name)}: {step.told}.")
        if todo:  # questions that are still open are asked step by step
            break
    if faulty and readable:  # students are answered apart: their files wait for no step but those of the units
        fault = attempt(_check_own_students)[1]  # empty where nothing is wrong
        faulty += [] if any(fault in text for text in faulty) else [fault]
    if faulty:
        raise BadInput("\n\n".join(faulty) + "\nThen leapstudy check again.")
    check_student_files()
    if names := copied(paths.notebooks()).changed:
        say(
            f"Changed by you, and of an earlier leapstudy: {', '.join(names)}. Delete one, then\n"
            "`leapstudy refresh --copied`, to get the newer."
        )
    if own := others():
        say(f"Not part of the batch (name a notebook NN_name.ipynb to add it): {', '.join(own)}.")
    if why := no_rollout():
        say(f"{ROLLOUT} is left out. {why}")
    say("Every step is done. Next: leapstudy run")


def _steps() -> Iterator[tuple["Step", bool]]:
    """Walk over all steps, each with whether it still has a TODO."""
    from leapstudy.data.steps import look_at, steps
    from leapstudy.study.steps import later_steps

    space = look_at(paths.raw(), paths.params())
    faulty = False
    for step in steps(space):
        faulty |= bool(step.faults)
        yield step, step.name in space.todo
    data, unread = _data(space)
    if unread and not (faulty or space.by_step["groups"] or space.by_step["contrasts"]):
        raise BadInput(unread)  # a fault that no step knows
    for step in later_steps(space, data, _headline()):
        yield step, step.name in space.todo
    yield _parameters(space, data, unread), False


def _data(space: "Workspace") -> tuple[Any, str]:
    """Return the study's tables, of their sound rows where some are not, and why they cannot be read as they are."""
    from leapstudy.data import load_study
    from leapstudy.data.steps import sound_study

    data, unread = attempt(load_study)
    if unread and space.state:
        data, _ = attempt(sound_study, space.raw, space.state)
    return data, unread


def _headline() -> dict[str, str]:
    """Return what `params/study.yml` asks; nothing where it lacks a part, or cannot be read: the last step tells."""
    from leapstudy.batch.params import read_params

    values, _ = attempt(read_params, paths.params() / "study.yml", required=True)
    names = {"contrast", "edition", "outcome"}
    return (
        {name: str(value) for name, value in values.items() if name in names} if values and names <= set(values) else {}
    )


def _parameters(space: "Workspace", data: Any, unread: str) -> "Step":
    """Return the last step: what runs read only later, each once; what is wrong with the data is told before."""
    from leapstudy.batch.copied import require_current
    from leapstudy.batch.params import resolve
    from leapstudy.batch.plan import make_plan
    from leapstudy.data import load_facts
    from leapstudy.data.steps import WAITS, Step
    from leapstudy.students.simulate import load_config
    from leapstudy.study import choice
    from leapstudy.study.public import load_plan
    from leapstudy.study.rollout.records import require_units_open
    from leapstudy.study.rollout.written_plan import check_rollout

    runs: list[Any] = []
    reads: list[Callable[[], object]] = [
        require_current,
        lambda: resolve("", {}),
        load_plan,
        load_config,
        check_rollout,
        load_facts,
    ]
    if data is not None:
        reads += [lambda: choice.kept(data), lambda: require_units_open(data)]
        track = "public" if _refused_students() else "all"  # student files are told after all steps, once
        reads += [lambda: runs.extend(make_plan(data, [], track, {}, paths.reports()))]
    todo_lines, findings = _open_todos()
    findings += [] if todo_lines else [attempt(read)[1] for read in reads]
    faults = tuple(
        dict.fromkeys(
            [*space.by_step["parameters"], *todo_lines, *(fault for fault in findings if fault not in ("", unread))]
        )
    )
    return Step("parameters", f"{len(runs)} runs have legal parameters" if runs else WAITS, faults)


def _open_todos() -> tuple[list[str], list[str]]:
    """Return the TODOs of what is chosen and planned, and what is wrong with the files."""
    from leapstudy.core.parameter_file import read_mapping
    from leapstudy.data.steps import todos

    lines, faults = [], []
    for path in [place for name in ("study.yml", "plan.yml") if (place := paths.params() / name).is_file()]:
        content, fault = attempt(read_mapping, path)
        lines += [f"{path.name}, {place}: {text}" for place, text in todos(content)]
        faults += [fault] if fault else []
    return lines, faults


def _refused_students() -> bool:
    """Say whether `run` would refuse the student files; of parameters that cannot be read the plan tells."""
    from leapstudy.students.settings import load_settings
    from leapstudy.study.student_check import require_usable

    settings, _ = attempt(load_settings)
    return settings is not None and not settings.simulated and bool(attempt(require_usable, settings)[1])


def _check_own_students() -> None:
    """Say what the student files hold, where the parameters name any."""
    from leapstudy.students.settings import load_settings

    if not load_settings().simulated:
        with suppress(typer.Exit):
            check_student_files()


def check_student_files() -> None:
    """Say what the student files of the parameters hold, and end with 2 where `run` would refuse them."""
    from leapstudy.batch.plan import no_simulation
    from leapstudy.students.settings import load_settings
    from leapstudy.study.student_check import check_students, missing_key, no_answer, require_students_open

    settings = load_settings()
    if settings.simulated:
        why = no_simulation()
        own = "Students: the SIMULATED state; name your own files in params/students.yml."
        say(f"Students: none. {why}" if why else own)
        return
    if not settings.visits:  # told beside what is wrong with the attendance, not before it
        _check_students(paths.named(settings.input))
    report = check_students(settings)
    reason = no_answer(report, settings) if report.ok else missing_key(report)
    say(f"{report.text}\n{reason}".strip())
    if reason or not report.ok:
        raise typer.Exit(BadInput.exit_code)
    if fault := attempt(require_students_open, settings)[1]:
        say(fault)


def _check_students(path: Path) -> int:
    from leapstudy.data import load_study
    from leapstudy.students.check import check_path
    from leapstudy.students.engine import connect
    from leapstudy.students.settings import load_settings

    settings = load_settings()
    report = check_path(
        path,
        settings.reading,
        tuple(load_study(started=False).districts["district_code"]),
        roster=paths.named(settings.roster) if settings.roster else None,
        con=connect(settings.memory_limit, engine=settings.engine),
    )
    say(report.text())
    return 0 if report.ok else BadInput.exit_code
