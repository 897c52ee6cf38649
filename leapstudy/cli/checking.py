"""The command that leads to the first page: numbered steps, all faults of a step together, the next step said."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leapstudy.core import paths
from leapstudy.core.errors import BadInput

if TYPE_CHECKING:
    from leapstudy.data.steps import Step


def check(
    path: Annotated[Path | None, typer.Argument(help="A student file; the workspace itself if none is given.")] = None,
) -> None:
    """Validate data and parameters step by step without running anything; a step's faults are told together."""
    if path is not None:
        raise typer.Exit(_check_students(path))
    from leapstudy.batch.plan import others

    for step in _steps():
        if step.faults:
            raise BadInput(step.text())
        typer.echo(f"{step.number} {step.name.capitalize()}: {step.told}.")
    _check_student_files()
    if own := others():
        typer.echo(f"Not part of the batch (name a notebook NN_name.ipynb to add it): {', '.join(own)}.")
    typer.echo("Every step is done. Next: leapstudy run")


def _steps() -> Iterator["Step"]:
    from leapstudy.batch.params import read_params
    from leapstudy.data import load_study
    from leapstudy.data.steps import look_at, steps
    from leapstudy.study.steps import later_steps

    space = look_at(paths.raw(), paths.params())
    yield from steps(space)
    asked = read_params(paths.params() / "study.yml", required=True)
    names = ("contrast", "edition", "outcome")
    data = load_study() if space.state else None
    yield from later_steps(space, data, {name: str(asked[name]) for name in names if name in asked})
    yield _parameters(space, data)


def _parameters(space: Any, data: Any) -> "Step":
    """Return the last step: what runs read only later, each once."""
    from leapstudy.batch.plan import make_plan
    from leapstudy.core.parameter_file import read_mapping
    from leapstudy.data import load_facts
    from leapstudy.data.steps import Step, todos
    from leapstudy.evidence.plan import check_frozen
    from leapstudy.students.simulate import load_config
    from leapstudy.study import choice
    from leapstudy.study.public import load_plan
    from leapstudy.study.rollout.written_plan import check_rollout

    runs: list[Any] = []
    reads: tuple[Callable[[], object], ...] = (
        lambda: check_frozen(load_plan()),
        lambda: choice.kept(data),
        load_config,
        check_rollout,
        load_facts,
        lambda: runs.extend(make_plan(data, [], "all", {}, paths.reports())),
    )
    files = [path for name in ("study.yml", "plan.yml") if (path := paths.params() / name).is_file()]
    left = [f"{path.name}, {place}: {text}" for path in files for place, text in todos(read_mapping(path))]
    faults = [*space.by_step["parameters"], *(left or [fault for read in reads if (fault := _said(read))])]
    return Step("parameters", f"{len(runs)} runs have legal parameters", tuple(dict.fromkeys(faults)))


def _said(read: Callable[[], object]) -> str:
    try:
        read()
    except BadInput as error:
        return str(error)
    return ""


def _check_student_files() -> None:
    from leapstudy.students.settings import load_settings
    from leapstudy.study.student_check import check_students, too_close

    settings = load_settings()
    if settings.simulated:
        typer.echo("Students: the SIMULATED state; name your own files in params/students.yml.")
        return
    checked = check_students(settings)
    reason = too_close(checked, settings)
    typer.echo(f"{checked.text}\n{reason}".strip())
    if reason or not checked.ok:
        raise typer.Exit(BadInput.exit_code)


def _check_students(path: Path) -> int:
    from leapstudy.data import load_study
    from leapstudy.students.check import check_path
    from leapstudy.students.engine import connect
    from leapstudy.students.settings import load_settings

    settings = load_settings()
    report = check_path(
        path,
        settings.reading,
        tuple(load_study().districts["district_code"]),
        roster=Path(settings.roster).expanduser() if settings.roster else None,
        con=connect(settings.memory_limit, engine=settings.engine),
    )
    typer.echo(report.text())
    return 0 if report.ok else BadInput.exit_code
