"""Which runs there are: made from the notebooks that exist and the parameters that they declare."""

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from leapstudy.batch.cells import read_cells
from leapstudy.batch.job import Run
from leapstudy.batch.params import KEYS, StudyParams, resolve
from leapstudy.core import paths
from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.names import ALL_SLUG, Track
from leapstudy.core.phrases import short
from leapstudy.data import StudyData, find_district, leap_districts
from leapstudy.did.design import build_sample
from leapstudy.students.settings import load_settings
from leapstudy.study.student_check import require_usable

PUBLIC_DISTRICT, POOLED, STUDENTS = "10_district", "30_all_districts", "20_students"
ONCE_SLUGS = {POOLED: ALL_SLUG}
TRACKS: dict[str, tuple[Track, ...]] = {"public": ("public",), "students": ("students",), "all": ("public", "students")}


def declared_parameters(notebook: Path) -> dict[str, Any]:
    """Return name -> default of the notebook's one cell tagged `parameters`.

    Raises
    ------
    BadInput
        If there is no such cell, more than one, or it holds anything but plain assignments of literals.
    """
    cells = [cell for cell in read_cells(notebook) if "parameters" in cell.tags]
    if len(cells) != 1:
        raise BadInput(
            f"{notebook.name} has {len(cells)} cells tagged `parameters`; exactly one is needed (a second one would override what is injected)."
        )
    found: dict[str, Any] = {}
    for statement in ast.parse(cells[0].source).body:
        if not (
            isinstance(statement, ast.Assign)
            and len(statement.targets) == 1
            and isinstance(statement.targets[0], ast.Name)
        ):
            raise BadInput(
                f"{notebook.name}: the parameters cell may only hold plain assignments, line {statement.lineno} is none."
            )
        found[statement.targets[0].id] = ast.literal_eval(statement.value)
    return found


def make_plan(data: StudyData, names: Sequence[str], track: str, settings: Mapping[str, Any], out: Path) -> list[Run]:
    """Return every run of a batch, validated; the pooled notebook and the other articles come with a full batch only.

    Parameters
    ----------
    data
        The study's tables; every run's sample is formed once, so that nothing fails later for want of a peer.
    names
        Districts by slug, name or code; all LEAP districts where empty.
    track
        `public`, `students` or `all`.
    settings
        Parameters from the command line.
    out
        Where results will be written.

    Raises
    ------
    BadInput
        For the first district, parameter or notebook that cannot be used.
    """
    if track == "students" and not load_settings().simulated:
        return _student_runs(*_of_files(names), settings, out)
    treated = leap_districts(data.districts)
    chosen = [find_district(data.districts, name) for name in names] or treated
    strangers = [district.name for district in chosen if district not in treated]
    if strangers:
        raise BadInput(
            f"{', '.join(strangers)} had no LEAP visits, so there is no effect to estimate. LEAP districts: {', '.join(item.slug for item in treated)}."
        )
    runs: list[Run] = []
    if "public" in TRACKS[track]:
        runs += [
            _district_run(data, PUBLIC_DISTRICT, item.slug, item.name, item.code, settings, out) for item in chosen
        ]
        if not names:
            runs += _articles(data, settings, out)
    if "students" in TRACKS[track]:
        simulated = load_settings().simulated
        wanted = ([(item.slug, item.name) for item in chosen], not names) if simulated else _of_files(names)
        runs += _student_runs(*wanted, settings, out)
    return runs


def _of_files(names: Sequence[str]) -> tuple[list[tuple[str, str]], bool]:
    """Return slug and name of the districts that the student files hold, and whether all of them were meant.

    Raises
    ------
    BadInput
        If the files cannot be used, in the words of `leapstudy check`, or hold no district of that name.
    """
    places = require_usable(load_settings()).districts
    by_name = {key: place for place in places for key in (place.slug, place.name, place.code)}
    strangers = [name for name in names if name not in by_name]
    if strangers:
        raise bad_value("district of the student files", strangers[0], [place.slug for place in places])
    chosen = [by_name[name] for name in names] or list(places)
    return [(place.slug, short(place.name)) for place in chosen], not names


def _notebook(name: str) -> Path:
    path = paths.notebooks() / f"{name}.ipynb"
    if not path.is_file():
        raise BadInput(f"The notebook {path.name} is missing. Restore notebooks/ from version control.")
    return path


def _inject(notebook: Path, params: StudyParams, extra: Mapping[str, Any]) -> dict[str, Any]:
    declared = declared_parameters(notebook)
    given = {**{key: getattr(params, key) for key in KEYS}, **extra}
    return {name: given.get(name, default) for name, default in declared.items()}


def _district_run(
    data: StudyData, name: str, slug: str, title: str, code: str, settings: Mapping[str, Any], out: Path
) -> Run:
    notebook, params = _notebook(name), resolve(slug, settings)
    build_sample(data, params.spec(), [code])
    extra = {"district": slug, "result_path": str(out / slug / "result.json")}
    return Run(slug, notebook, _inject(notebook, params, extra), title)


def _articles(data: StudyData, settings: Mapping[str, Any], out: Path) -> list[Run]:
    runs = []
    for notebook in sorted(paths.notebooks().glob("*.ipynb")):
        if notebook.stem in (PUBLIC_DISTRICT, STUDENTS):
            continue
        slug = ONCE_SLUGS.get(notebook.stem, notebook.stem.replace("_", "-"))
        params = resolve(slug, settings)
        if notebook.stem == POOLED:
            build_sample(data, params.spec(), [item.code for item in leap_districts(data.districts)])
        result = str(out / slug / "result.json")
        runs.append(Run(slug, notebook, _inject(notebook, params, {"result_path": result}), _title(notebook)))
    return runs


def _student_runs(
    districts: Sequence[tuple[str, str]], pooled: bool, settings: Mapping[str, Any], out: Path
) -> list[Run]:
    notebook = _notebook(STUDENTS)
    wanted = [*districts, *([(ALL_SLUG, "All districts with visits")] if pooled else [])]
    runs = []
    for slug, title in wanted:
        folder = f"students-{slug}"
        extra = {"district": slug, "result_path": str(out / folder / "result.json")}
        runs.append(
            Run(
                folder,
                notebook,
                _inject(notebook, resolve(slug, settings), extra),
                f"{title}, student track",
                "students",
            )
        )
    return runs


def _title(notebook: Path) -> str:
    first = next(cell.source for cell in read_cells(notebook) if cell.kind == "markdown")
    return first.splitlines()[0].lstrip("# ")
