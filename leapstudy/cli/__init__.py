"""The command line: every command says what it did, and exits 0 (done), 1 (something failed) or 2 (bad input)."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

import leapstudy
import leapstudy.batch  # leaves out what jsonschema compiles for seconds, also of commands that run no batch
from leapstudy.cli import before
from leapstudy.cli.checking import check
from leapstudy.cli.interrupts import listening, of_interrupt
from leapstudy.cli.new import app as editions
from leapstudy.cli.new import new
from leapstudy.cli.typed import name_study, say, typed
from leapstudy.core import paths
from leapstudy.core.cache import collect_rarely
from leapstudy.core.errors import BadInput, FolderBusy, Interrupted, LeapstudyError, bad_value
from leapstudy.core.names import ALL_SLUG, LARGEST_SEED

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
STUDY, OWN, AROUND = "The study", "Data and studies of your own", "Before, during and after a program"
app.command(rich_help_panel=STUDY, epilog="Example: leapstudy check")(check)
app.command(rich_help_panel=OWN, epilog="Example: leapstudy new ohio --from attendance_2023.xlsx attendance_2024.xlsx")(
    new
)
app.command(rich_help_panel=AROUND, epilog=before.DESIGN)(before.design)
app.command(rich_help_panel=AROUND, epilog=before.PLAN)(before.plan)
app.command(rich_help_panel=AROUND, epilog=before.DRAW)(before.draw)
app.add_typer(editions, name="data", rich_help_panel=OWN)
console = Console()
TRACKS = ("public", "students", "all")

Districts = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME",
        help="Units of the study (slugs, names or codes: `leapstudy list`) and articles (all-districts, 02_the_data); "
        "everything if none is given.",
    ),
]
TrackOption = Annotated[str, typer.Option(help="public, students or all.")]
OutOption = Annotated[
    str, typer.Option(help="Folder of the results, or a URL such as s3://bucket/reports; reports/ by default.")
]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="key=value, may be repeated.")]


def _version(wish: bool) -> None:
    if wish:
        _say(f"leapstudy {leapstudy.__version__}")
        raise typer.Exit


@app.callback()
def leap(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is.")
    ] = False,
    study: Annotated[Path | None, typer.Option(help="Folder of another study, as `leapstudy new` makes one.")] = None,
) -> None:
    """Did our attendance program work, and how sure are we?"""
    name_study(study)
    if study is not None:
        if not (study / "params").is_dir():
            raise BadInput(f"{study.name} is no study: it has no folder params. leapstudy new makes one.")
        os.environ["LEAPSTUDY_ROOT"] = str(study.resolve())
    elif not os.environ.get("LEAPSTUDY_ROOT") and paths.root() != paths.own_root():
        os.environ["LEAPSTUDY_ROOT"] = str(paths.root())
        say(f"The study of the folder {paths.root().name}.", err=True)


def _say(line: str) -> None:
    """Print one line as it is: no name in it is markup, and no terminal width cuts it."""
    console.print(typed(line), highlight=False, markup=False, soft_wrap=True)


def _plan(
    districts: list[str] | None,
    track: str,
    settings: list[str] | None,
    out: Path,
    to_run: bool = False,
    started: bool = True,
) -> tuple[list, str, bool]:
    """Return the runs, what was asked, and whether the last batch's plan served, as it does where nothing has changed.

    A new plan that is `to_run` will almost surely need kernels: they warm up while it is made. Where the units need
    not have `started`, the runs of students are all there are before a start.
    """
    from leapstudy.batch.copied import require_current
    from leapstudy.batch.last_batch import asked, kept_part, kept_plan

    if track not in TRACKS:
        raise bad_value("track", track, TRACKS)
    question = asked(districts=districts, track=track, settings=settings, out=out)
    last_plan = kept_plan(out, question)
    if last_plan is None and not settings:
        last_plan = kept_part(out, track, tuple(districts or ()))
    if to_run:
        require_current()
    if last_plan is not None:
        return last_plan, question, True
    if to_run:
        _warm_up()
    plan = _new_plan(districts, track, settings, out, started)
    if to_run:
        _refuse_unplanned(plan)
    return plan, question, False


def _refuse_unplanned(plan: list) -> None:
    """Stop before any kernel where a question would end at its plan or its comparison, or at outcomes by arm that are
    still closed, as `check` says.
    """
    from leapstudy.batch.plan import ROLLOUT_SLUG
    from leapstudy.data import load_study
    from leapstudy.site.index import track_of
    from leapstudy.students.settings import load_settings
    from leapstudy.study import choice, public
    from leapstudy.study.rollout import records

    tracks = {track_of(run.slug) for run in plan}
    if any(track_of(run.slug) != "students" and run.slug != ROLLOUT_SLUG for run in plan):  # articles show outcomes too
        records.require_units_open(load_study(started=False))
    if "public" in tracks:
        public.load_plan()
        choice.kept(load_study())
    if "students" in tracks:
        from leapstudy.study.student_check import require_students_open  # brings the engine

        require_students_open(load_settings())


def _warm_up() -> None:
    """Start what kernels are forked from: its imports go on while this process plans and does its own."""
    from leapstudy.batch.job import one_thread
    from leapstudy.batch.kernels import shipped_preload
    from leapstudy.batch.kernels.forks import template

    one_thread()
    template(shipped_preload())


def _new_plan(
    districts: list[str] | None, track: str, settings: list[str] | None, out: Path, started: bool = True
) -> list:
    from leapstudy.batch.params import parse_settings
    from leapstudy.batch.plan import make_plan, no_simulation
    from leapstudy.data import load_study

    data = load_study(started=started and track != "students")
    if not data.starts and (track == "public" or (track == "all" and no_simulation())):
        return []
    return make_plan(data, districts or [], track if data.starts else "students", parse_settings(settings or []), out)


@app.command(
    rich_help_panel=STUDY, epilog="Example: leapstudy run hartford east-hartford --set comparison=others --jobs 2"
)
def run(
    districts: Districts = None,
    track: TrackOption = "public",
    jobs: Annotated[int, typer.Option(min=1, help="Notebooks at a time.")] = os.cpu_count() or 2,
    out: OutOption = "",
    force: Annotated[bool, typer.Option("--force", help="Rerun everything, even if up to date.")] = False,
    settings: SetOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run, and why; run nothing.")] = False,
    timeout: Annotated[
        int | None,
        typer.Option(min=1, help="Seconds that one cell may take; 300, and 5 for each MiB of student files."),
    ] = None,
    dask: Annotated[str, typer.Option(help="Scheduler of a Dask cluster that runs the notebooks.")] = "",
) -> None:
    """Run the notebooks whose inputs changed and build the pages."""
    from leapstudy.batch.last_batch import keep_fresh, reasons, untouched
    from leapstudy.batch.manifest import verdict

    place = _place(out)
    plan, question, is_last = _plan(districts, track, settings, place.folder, to_run=not dry_run and not dask)
    why = reasons(plan, place.folder)
    _say_left_out(plan, track)
    if dry_run:
        for item in plan:
            words = verdict(why[item.slug]) if why[item.slug] else "fresh, would run only with --force"
            _say(f"{item.slug}: {item.notebook.name}: {words}")
    elif force or any(why.values()) or not untouched(place.folder):
        _run(plan, place, jobs, force, timeout, dask, question)
    else:
        if not is_last:
            keep_fresh(place.folder, question, plan)
        _say_done(0, len(plan), 0, place.index)


def _say_left_out(plan: list, track: str) -> None:
    if track == "all" and not any(run.track == "students" for run in plan):
        from leapstudy.batch.plan import no_simulation

        if why := no_simulation():
            _say(f"No student pages. {why}")


def _run(plan: list, place: Any, jobs: int, force: bool, timeout: int | None, dask: str, question: str) -> None:
    if not dask:
        _warm_up()
    # papermill takes half a second to import: bad input, dry runs and fresh batches do not wait for it
    from leapstudy.batch.batch import failure_table, run_batch
    from leapstudy.batch.executors import choose_pool

    try:
        batch = run_batch(
            plan,
            place.folder,
            jobs,
            force=force,
            timeout=timeout or 0,
            console=console,
            question=question,
            pool=choose_pool(dask, place),
            after=place.push,
        )
    except KeyboardInterrupt:
        raise Interrupted(_cut_off(plan, place.folder)) from None
    _say_done(sum(item.reran for item in batch.outcomes), len(plan), len(batch.failed), place.index)
    if batch.failed:
        console.print(failure_table(batch.failed))
    if not batch.scan.ok:
        _say(batch.scan.text())
    if batch.failed or not batch.scan.ok:
        raise typer.Exit(1)


def _cut_off(plan: list, folder: Path) -> str:
    from leapstudy.batch.last_batch import reasons
    from leapstudy.batch.manifest import some

    stale = [slug for slug, why in reasons(plan, folder).items() if why]
    n_fresh, are = len(plan) - len(stale), "is" if len(stale) == 1 else "are"
    return (
        f"Interrupted: {n_fresh} of {len(plan)} runs are done, {len(stale)} {are} not "
        f"({some(stale) or 'none'}). Nothing is left running; the same command goes on from there."
    )


def _place(out: str, *, wait: bool = True) -> Any:
    """Return where results are, brought up to date where that is a URL.

    Without `wait` (for a command that only reads) a folder that a batch holds is taken as it stands.
    """
    from leapstudy.batch.last_batch import locked
    from leapstudy.batch.remote import Place

    place = Place.of(out)
    if place.url:
        try:
            with locked(place.folder):
                place.pull()
        except FolderBusy:
            if wait:
                raise
            _say("A batch is at work there; this is how far it has come.")
    return place


def _say_done(ran: int, n_runs: int, n_failed: int, index: str) -> None:
    _say(f"Runs: {ran} made, {n_runs - ran} fresh, {n_failed} failed. Open {index}")


@app.command(rich_help_panel=STUDY, epilog="Example: leapstudy status")
def status(track: TrackOption = "public", out: OutOption = "") -> None:
    """Say for each run whether it is fresh, stale (and why), failed, interrupted or was never run."""
    from leapstudy.batch.last_batch import reasons, touched
    from leapstudy.batch.manifest import verdict
    from leapstudy.site.index import track_of

    place = _place(out, wait=False)
    plan, _, _ = _plan(None, track, None, place.folder, started=False)
    if track != "students" and not {track_of(run.slug) for run in plan} - {"students"}:
        _say("Units and articles wait for a start in data/raw; leapstudy check says in which file.")
    _say_left_out(plan, track)
    for slug, why in reasons(plan, place.folder).items():
        _say(f"{slug}: {verdict(why)}")
    if published := touched(place.folder):
        _say(f"Pages and tables: {verdict(published)}. leapstudy run makes them again.")


@app.command(rich_help_panel=OWN, epilog="Example: leapstudy templates for_the_vendor")
def templates(
    folder: Annotated[Path, typer.Argument(help="Folder to write; it may not hold files of the same names.")],
) -> None:
    """Write headers, schemas and a dictionary of visit log and attendance that a vendor can implement."""
    from leapstudy.core.files import require_free, write_text_atomic
    from leapstudy.students.contract import templates as contract_files
    from leapstudy.students.settings import load_settings

    require_free(paths.real(folder), "The folder")
    files = contract_files(load_settings().supports)
    if names := sorted(name for name in files if (folder / name).exists()):
        raise BadInput(f"{folder.name} holds {', '.join(names)} already, and nothing is written over. Name another.")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        write_text_atomic(folder / name, text)
    _say(f"{len(files)} files in {folder.name}. Give them to whoever sends the records; see docs/data-sharing.md.")


@app.command(rich_help_panel=AROUND, epilog="Example: leapstudy watch --until 2031-12-18")
def watch(
    until: Annotated[str, typer.Option(help="Last day that counts, YYYY-MM-DD; today by default.")] = "",
    outcomes: Annotated[
        bool, typer.Option("--outcomes", help="Ask for outcomes by arm; refused before its day.")
    ] = False,
) -> None:
    """Say how the visits run against the plan: referred, tried, met, stopped feeds, crossovers. Never an outcome."""
    from leapstudy.study.student_watch import watch_students

    for line in watch_students(until, outcomes):
        _say(line)


@app.command(
    rich_help_panel=OWN, epilog="Example: leapstudy choose GROUP --reason 'like them in every trait before the program'"
)
def choose(
    group: Annotated[str, typer.Argument(help="The comparison group, one of those in params/state.yml.")],
    reason: Annotated[str, typer.Option(help="Why this one; pages quote it.")],
) -> None:
    """Rank the comparison groups by figures before the program alone, and put the one chosen on record."""
    from datetime import UTC, datetime

    from leapstudy.core.phrases import counted  # with pandas: a batch with nothing to do must not import it
    from leapstudy.data import load_study
    from leapstudy.study.choice import FILE, record

    data = load_study()
    choice = record(data, group, f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", reason)
    for place, item in enumerate(choice.sets, 1):
        _say(f"{place}. {item.name}: {counted(len(item.codes), *data.state.unit.noun['en'])}")
    _say(f"Chosen: {choice.chosen}. On record in params/{FILE}; `leapstudy run` says it on every page.")


@app.command(rich_help_panel=OWN, epilog="Example: leapstudy simulate students.parquet --seed 7")
def simulate(
    out: Annotated[Path, typer.Argument(help="Parquet file to write; visits, truth and manifest come beside it.")],
    seed: Annotated[
        int | None, typer.Option(min=0, max=LARGEST_SEED, help="Another seed than params/simulation.yml says.")
    ] = None,
) -> None:
    """Write a SIMULATED state whose true effect is known, as params/simulation.yml describes it."""
    from leapstudy.students.simulate import load_config, require_own, write_simulation

    require_own(paths.real(out))
    config = load_config()
    simulation = write_simulation(paths.real(out), config if seed is None else config.with_changes(seed=seed))
    _say(
        f"SIMULATED students: {simulation.panel.name}; visits: {simulation.visits.name}; truth: {simulation.truth.name}"
    )


@app.command("list", rich_help_panel=STUDY, epilog="Example: leapstudy list")
def list_names() -> None:
    """List the units, comparison groups and contrasts by the names that commands take."""
    from leapstudy.data import load_study
    from leapstudy.did.contrasts import contrasts_of

    data = load_study(started=False)
    for row in data.districts.sort_values(["treated", "slug"], ascending=[False, True]).itertuples():
        _say(
            f"{row.slug:45} {row.district_code} {row.district}{f' ({data.state.program.short})' if row.treated else ''}"
        )
    _say(f"comparison groups: {', '.join(data.state.groups)}")
    for start in sorted(set(data.starts.values())):
        for contrast in contrasts_of(data.state, start).values():
            _say(f"contrast {contrast.name}, start {start}: {contrast.label}")


@app.command(rich_help_panel=STUDY, epilog="Example: leapstudy report hartford --to html,pdf,docx")
def report(
    districts: Districts = None,
    to: Annotated[str, typer.Option(help="html, pdf and docx, with commas between them.")] = "html,pdf,docx",
    out: OutOption = "",
) -> None:
    """Write plain page and technical appendix from the results that are there, to read, print or edit."""
    from leapstudy.site.documents import build_reports, report_slugs

    place = _place(out)
    documents = build_reports(place.folder, report_slugs(place.folder, districts or []), to.replace(" ", "").split(","))
    place.push()
    for line in (*(str(path) for path in documents.paths), *documents.notes):
        _say(line)


@app.command(rich_help_panel=STUDY, epilog="Example: leapstudy verify --out reports")
def verify(
    out: OutOption = "", jobs: Annotated[int, typer.Option(min=1, help="Notebooks at a time.")] = os.cpu_count() or 2
) -> None:
    """Make every result again in a temporary folder, compare, and name what moved."""
    from leapstudy.batch.verify import verify as compare

    comparison = compare(_place(out).folder, jobs, console)
    _say(comparison.text())
    raise typer.Exit(1 if comparison.moved else 0)


@app.command(
    rich_help_panel=STUDY,
    epilog="Example: leapstudy lab hartford --port 8899",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def lab(context: typer.Context) -> None:
    """Open JupyterLab in the workspace, or a unit's notebook with its parameters set; options go to JupyterLab."""
    from leapstudy.batch.lab import open_lab

    options = list(context.args)
    name = options.pop(0) if options and not options[0].startswith("-") else ""
    raise typer.Exit(open_lab(options, _own_notebook(name) if name else ""))


def _own_notebook(name: str) -> str:
    from leapstudy.batch.lab import own_notebook

    out = paths.reports()
    run = next(item for item in _new_plan(None if name == ALL_SLUG else [name], "public", None, out) if item.track)
    path, new = own_notebook(run)
    _say(f"{path.name} {'is a copy' if new else 'is your earlier copy'} of {run.notebook.name}, yours to change.")
    return path.relative_to(paths.root()).as_posix()


@app.command(rich_help_panel=OWN, epilog="Example: leapstudy refresh 10_district")
def refresh(
    names: Annotated[list[str] | None, typer.Argument(help="Notebooks by name; all if none is given.")] = None,
    copied: Annotated[
        bool, typer.Option("--copied", help="Take over the installed leapstudy's notebooks, but for those you changed.")
    ] = False,
) -> None:
    """Execute the source notebooks in place, for authors; or bring a workspace's copies up to date."""
    from leapstudy.batch.execute import refresh_notebook

    if copied:
        if names:
            raise BadInput(f"--copied is for all copies together: leave out {', '.join(names)}.")
        _take_over()
        return
    notebooks = {path.stem: path for path in sorted(paths.notebooks().glob("*.ipynb"))}
    for name in names or notebooks:
        if name not in notebooks:
            raise bad_value("notebook", name, notebooks)
        refresh_notebook(notebooks[name])
        _say(f"{name}: executed and kept")


def _take_over() -> None:
    from leapstudy.batch.copied import LISTING, copied, take_over
    from leapstudy.cli.new import bring

    if not paths.notebooks().exists():
        bring(paths.root())
    elif not (paths.notebooks() / LISTING).is_file():
        raise BadInput(f"notebooks/{LISTING} is missing: `leapstudy new` did not make this workspace.")
    _say(f"Taken over: {', '.join(take_over(paths.notebooks())) or 'nothing'}.")
    if names := copied(paths.notebooks()).changed:
        _say(f"Kept, since you changed them: {', '.join(names)}. Delete one and say it again to get the newer.")


@listening()
def main() -> None:
    """Run the command line; an error meant for people is printed without a traceback."""
    collect_rarely()
    try:
        # where a command ends by `typer.Exit`, this call returns its code and raises nothing
        code = app(standalone_mode=False) or 0
    except Interrupted as end:
        say(str(end), err=True)
        sys.exit(end.exit_code)
    except LeapstudyError as error:
        say(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        code = Interrupted.exit_code
    except OSError as error:
        if error.filename is None:
            raise
        where = Path(os.fsdecode(error.filename)).parent
        say(
            f"Error: A file in '{where}' cannot be read or written ({error.strerror}). Mend that, or choose "
            "another folder.",
            err=True,
        )
        sys.exit(BadInput.exit_code)
    except Exception as error:
        if hasattr(error, "format_message"):  # click's usage errors
            say(f"Error: {error.format_message()} Try --help.", err=True)
            sys.exit(2)
        if not of_interrupt(error):
            raise
        code = Interrupted.exit_code
    if code == Interrupted.exit_code:
        say("Interrupted. Nothing half made counts as done; the same command goes on from there.", err=True)
    sys.exit(code)
