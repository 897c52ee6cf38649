"""The command line: every command says what it did, and exits 0 (done), 1 (something failed) or 2 (bad input)."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from leapstudy.core import paths
from leapstudy.core.errors import BadInput, LeapstudyError, bad_value

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Did our attendance programme work, and how sure are we?",
)
console = Console()
TRACKS = ("public", "pupils", "all")

Districts = Annotated[
    list[str] | None, typer.Argument(help="Slugs, names or codes; all LEAP districts if none is given.")
]
TrackOption = Annotated[str, typer.Option(help="public, pupils or all.")]
OutOption = Annotated[Path | None, typer.Option(help="Folder of the results; reports/ by default.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="key=value, may be repeated.")]


def _plan(districts: list[str] | None, track: str, settings: list[str] | None, out: Path) -> tuple:
    from leapstudy.batch.params import parse_settings
    from leapstudy.batch.plan import make_plan
    from leapstudy.data import load_study

    if track not in TRACKS:
        raise bad_value("track", track, TRACKS)
    data = load_study()
    return data, make_plan(data, districts or [], track, parse_settings(settings or []), out)


@app.command(epilog="Example: leapstudy run hartford east-hartford --set comparison=others --jobs 2")
def run(
    districts: Districts = None,
    track: TrackOption = "public",
    jobs: Annotated[int, typer.Option(min=1, help="Notebooks at a time.")] = os.cpu_count() or 2,
    out: OutOption = None,
    force: Annotated[bool, typer.Option("--force", help="Run also what is fresh.")] = False,
    settings: SetOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run, and why; run nothing.")] = False,
) -> None:
    """Run the notebooks whose inputs changed and build the pages."""
    from leapstudy.batch.manifest import key_of, stale_reasons

    folder = (out or paths.reports()).resolve()
    data, plan = _plan(districts, track, settings, folder)
    if dry_run:
        for item in plan:
            reasons = stale_reasons(folder / item.slug, key_of(item, data.hashes))
            verdict = "; ".join(reasons) if reasons else "fresh, would run only with --force"
            console.print(f"{item.slug}: {item.notebook.name}: {verdict}", highlight=False)
        return
    # papermill takes half a second to import: bad input and dry runs do not wait for it
    from leapstudy.batch.run import failure_table, run_batch

    batch = run_batch(plan, data.hashes, folder, jobs, force=force, console=console)
    ran, failed = sum(item.reran for item in batch.outcomes), batch.failed
    console.print(
        f"{ran} runs made, {len(plan) - ran} were fresh, {len(failed)} failed. Open {batch.index}",
        highlight=False,
        soft_wrap=True,
    )
    if failed:
        console.print(failure_table(failed))
        raise typer.Exit(1)


@app.command(epilog="Example: leapstudy status")
def status(track: TrackOption = "public", out: OutOption = None) -> None:
    """Say for each run whether it is fresh, stale (and why), failed, interrupted or was never run."""
    from leapstudy.batch.manifest import key_of, stale_reasons

    folder = (out or paths.reports()).resolve()
    data, plan = _plan(None, track, None, folder)
    for item in plan:
        reasons = stale_reasons(folder / item.slug, key_of(item, data.hashes))
        plain = ("never run", "interrupted", "failed")
        word = (
            "fresh"
            if not reasons
            else "; ".join(reasons)
            if reasons[0].startswith(plain)
            else f"stale ({'; '.join(reasons)})"
        )
        console.print(f"{item.slug}: {word}", highlight=False)


@app.command(epilog="Example: leapstudy check")
def check(
    path: Annotated[Path | None, typer.Argument(help="A pupil file; the workspace itself if none is given.")] = None,
) -> None:
    """Validate data and parameters without running anything."""
    if path is not None:
        raise typer.Exit(_check_pupils(path))
    data, plan = _plan(None, "public", None, paths.reports())
    from leapstudy.data import load_facts

    load_facts()
    console.print(
        f"{len(data.hashes)} raw files are as published, {len(data.districts)} districts, {len(plan)} runs have legal parameters.",
        highlight=False,
    )


def _check_pupils(path: Path) -> int:
    from leapstudy.data import load_study
    from leapstudy.pupils.check import check_path

    if not path.exists():
        raise BadInput(
            f"There is no file or folder {str(path)!r}. `leapstudy simulate pupils.parquet` makes one to try."
        )
    report = check_path(path, known_districts=tuple(load_study().districts["district_code"]))
    console.print(report.text(), highlight=False, markup=False, soft_wrap=True)
    return 0 if report.ok else BadInput.exit_code


@app.command(epilog="Example: leapstudy simulate pupils.parquet --seed 7")
def simulate(
    out: Annotated[Path, typer.Argument(help="Parquet file to write; visits, truth and manifest come beside it.")],
    seed: Annotated[int | None, typer.Option(min=0, help="Another seed than params/simulation.yml says.")] = None,
) -> None:
    """Write a SIMULATED state whose true effect is known, as params/simulation.yml describes it."""
    from leapstudy.pupils.simulate import load_config, write_simulation

    config = load_config()
    made = write_simulation(out.resolve(), config if seed is None else config.with_changes(seed=seed))
    console.print(
        f"SIMULATED pupils: {made.panel.name}; visits: {made.visits.name}; truth: {made.truth.name}", highlight=False
    )


@app.command("list", epilog="Example: leapstudy list")
def list_names() -> None:
    """List districts, comparison groups and contrasts by the names that commands take."""
    from leapstudy.core.names import ComparisonName, options
    from leapstudy.data import load_study
    from leapstudy.did.contrasts import CONTRASTS

    for row in load_study().districts.sort_values(["leap", "slug"], ascending=[False, True]).itertuples():
        console.print(
            f"{row.slug:45} {row.district_code} {row.district}{' (LEAP)' if row.leap else ''}", highlight=False
        )
    console.print(f"comparison groups: {', '.join(options(ComparisonName))}", highlight=False)
    for contrast in CONTRASTS.values():
        console.print(f"contrast {contrast.name}: {contrast.label}", highlight=False)


@app.command(epilog="Example: leapstudy lab")
def lab() -> None:
    """Open JupyterLab in the workspace."""
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--notebook-dir={paths.root()}",
        "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb",
    ]
    raise typer.Exit(subprocess.run(command).returncode)


@app.command(epilog="Example: leapstudy refresh 10_district")
def refresh(
    names: Annotated[list[str] | None, typer.Argument(help="Notebooks by name; all if none is given.")] = None,
) -> None:
    """Execute the source notebooks in place, for authors."""
    from leapstudy.batch.refresh import refresh_notebook

    known = {path.stem: path for path in sorted(paths.notebooks().glob("*.ipynb"))}
    for name in names or known:
        if name not in known:
            raise bad_value("notebook", name, known)
        refresh_notebook(known[name])
        console.print(f"{name}: executed and kept", highlight=False)


def main() -> None:
    """Run the command line; an error meant for people is printed without a traceback."""
    try:
        app(standalone_mode=False)
    except LeapstudyError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
    except typer.Exit as done:
        sys.exit(done.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        typer.echo("Interrupted. What was running is marked; `leapstudy run` goes on from there.", err=True)
        sys.exit(1)
    except Exception as error:
        if hasattr(error, "format_message"):  # click's usage errors
            typer.echo(f"Error: {error.format_message()} Try --help.", err=True)
            sys.exit(2)
        raise


if __name__ == "__main__":
    main()
