"""Which runs there are: made from the notebooks that exist and the parameters that they declare."""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from leapstudy.batch.job import Run, read_cells
from leapstudy.batch.params import KEYS, StudyParams, check_names, resolve, typed_settings
from leapstudy.core import paths
from leapstudy.core.errors import BadInput, attempt, bad_value
from leapstudy.core.names import ALL_SLUG, SIMULATION, STUDENT_SLUG, Track
from leapstudy.data import District, StudyData, find_district, treated_districts, treated_side
from leapstudy.data.names import program_name, short, unit_nouns
from leapstudy.did.contrasts import clock_of
from leapstudy.did.design import Spec, build_sample, outcomes_over_years, sample_of_every_year
from leapstudy.did.nested import require_whole
from leapstudy.did.spread import spread_of
from leapstudy.students.settings import load_settings, require_own_simulation, simulated_districts

PUBLIC_DISTRICT, POOLED, STUDENTS = "10_district", "30_all_districts", "20_students"
ROLLOUT, ROLLOUT_FILE = "60_plan_a_rollout", "rollout.yml"
ROLLOUT_SLUG = ROLLOUT.replace("_", "-")
ONCE_SLUGS = {POOLED: ALL_SLUG}
ARTICLE = re.compile(r"\d\d_[a-z0-9_]+\.ipynb")
# Parameters by which the runs of one notebook differ; they are filled by the plan alone.
OWN = ("district", "result_path")
# Parameters by which a notebook asks the data; see `Spec`.
QUESTION = {"comparison", "contrast", "edition", "outcome"}
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
            f"{notebook.name} has {len(cells)} cells tagged `parameters`; exactly one is needed (a second one would "
            f"override what is injected)."
        )
    parameters: dict[str, Any] = {}
    for statement in ast.parse(cells[0].source).body:
        if not (
            isinstance(statement, ast.Assign)
            and len(statement.targets) == 1
            and isinstance(statement.targets[0], ast.Name)
        ):
            raise BadInput(
                f"{notebook.name}: the parameters cell may only hold plain assignments, line {statement.lineno} is "
                f"none."
            )
        parameters[statement.targets[0].id] = ast.literal_eval(statement.value)
    return parameters


def make_plan(data: StudyData, names: Sequence[str], track: str, settings: Mapping[str, Any], out: Path) -> list[Run]:
    """Return every run of a batch, validated; articles come where all is asked for, or they are.

    Parameters
    ----------
    data
        The study's tables; every run's sample is formed once, so that nothing fails later for want of a peer.
    names
        Districts by slug, name or code, and articles by slug or file name; everything where empty.
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
    if not paths.notebooks().is_dir():
        raise BadInput(
            f"The study {paths.root().name} has no folder notebooks. They are the same in every study: "
            "`leapstudy refresh --copied` brings them, and parameter files that it lacks."
        )
    names = [_as_run(name, track) for name in names]
    treated = treated_districts(data.districts)
    of_students = "students" in TRACKS[track]
    own_files = of_students and not load_settings().simulated
    of_articles = {name for path in articles() for name in (_slug(path), path.stem)}
    places = [name for name in names if name not in of_articles]
    notebooks = [path for path in articles() if not names or {_slug(path), path.stem} & set(names)]
    if why := no_rollout():
        if names and any(path.stem == ROLLOUT for path in notebooks):
            raise BadInput(f"{ROLLOUT} is about a planned rollout. {why}")
        notebooks = [path for path in notebooks if path.stem != ROLLOUT]
    pooled = not names or ALL_SLUG in names
    few = bool(names) and not places
    units = [] if few or (own_files and track == "students") else _districts(data, places, treated)
    if not places:
        units = [item for item in units if not _hidden(data, item)]
    notebooks_of_track = _notebooks_of(track, notebooks if few else [_notebook(PUBLIC_DISTRICT), *notebooks])
    check_names(_readers(treated))
    values = typed_settings(settings, settable(notebooks_of_track))
    runs: list[Run] = []
    if "public" in TRACKS[track]:
        runs += [_district_run(data, item, values, out) for item in units]
        runs += _articles(data, notebooks, values, out)
    reason = no_simulation() if of_students else ""
    if reason and track == "students":
        raise BadInput(reason)
    if of_students and not reason:
        has_places = pooled or places  # a page of all districts alone is refused before its kernel, too
        own = _of_files(places) if own_files and has_places else []
        students = own if own_files else _simulated(units, by_name=bool(places))
        runs += _student_runs([] if few else students, pooled, values, out)
    return runs


def no_simulation() -> str:
    """Return why the SIMULATED state cannot be run in this study; empty where it can, or files are named."""
    return attempt(require_own_simulation)[1] if load_settings().simulated else ""


def no_rollout() -> str:
    """Return why the notebook about a planned rollout cannot be run in this study; empty where it can."""
    if not (paths.params() / ROLLOUT_FILE).is_file():
        return f"params/{ROLLOUT_FILE} is missing. Copy the one that `leapstudy new` drafts, and change its values."
    why = no_simulation()  # it sets lots among students beside lots among units
    return f"`leapstudy design --track units` plans without students. {why}" if why else ""


def _as_run(name: str, track: str) -> str:
    """Return the name that a run is asked by, also where a page's own name was given (`students-hartford`)."""
    if not name.startswith(STUDENT_SLUG):
        return name
    plain = name.removeprefix(STUDENT_SLUG)
    if "students" not in TRACKS[track]:
        raise BadInput(f"{name} is a page of the student track: leapstudy run {plain} --track students makes it.")
    return plain


def _hidden(data: StudyData, district: District) -> bool:
    """Say whether a treated unit's own figures are not published, where the state says that such units are left out."""
    hidden = data.state.unit.hidden
    return hidden != "refuse" and bool(attempt(build_sample, data, _spec(district.slug, {}), [district.code])[1])


def _districts(data: StudyData, names: Sequence[str], treated: Sequence[District]) -> list[District]:
    """Return the districts asked for, each once whatever names it was given."""
    try:
        units = list(dict.fromkeys(find_district(data.districts, name) for name in names)) or list(treated)
    except BadInput as stranger:
        raise BadInput(f"{stranger} Articles: {', '.join(path.stem for path in articles())}.") from None
    strangers = [district.name for district in units if district not in treated]
    if strangers:
        raise BadInput(
            f"{', '.join(strangers)} never had {program_name()}, so there is no effect to estimate. "
            f"{program_name()} {unit_nouns()}: {', '.join(item.slug for item in treated)}."
        )
    return units


def articles() -> list[Path]:
    """Return the notebooks of the batch that run once: `NN_name.ipynb` with a cell tagged `parameters`.

    Whatever else lies in `notebooks/` (a new notebook, a copy, a folder of one's own) is its author's and stays out.
    """
    paths_by_name = sorted(path for path in paths.notebooks().glob("*.ipynb") if ARTICLE.match(path.name))
    return [path for path in paths_by_name if path.stem not in (PUBLIC_DISTRICT, STUDENTS) and _has_parameters(path)]


def others() -> list[str]:
    """Return the names of notebooks that lie beside the batch's own and stay out of it."""
    names = {path.name for path in articles()} | {f"{PUBLIC_DISTRICT}.ipynb", f"{STUDENTS}.ipynb"}
    return sorted(path.name for path in paths.notebooks().glob("*.ipynb") if path.name not in names)


def _has_parameters(path: Path) -> bool:
    cells, _ = attempt(read_cells, path)
    return any("parameters" in cell.tags for cell in cells or ())


def _notebooks_of(track: str, notebooks: Sequence[Path]) -> list[Path]:
    return [
        *(notebooks if "public" in TRACKS[track] else []),
        *([_notebook(STUDENTS)] if "students" in TRACKS[track] else []),
    ]


def settable(notebooks: Sequence[Path]) -> dict[str, Any]:
    """Return name -> default of every parameter that these notebooks read, but for those that make each run itself."""
    parameters = {name: value for path in notebooks for name, value in declared_parameters(path).items()}
    return {name: value for name, value in parameters.items() if name not in OWN}


def _readers(treated: Sequence[District]) -> dict[str, list[str]]:
    """Return slug -> parameters that a file of its own in `params/districts/` may change."""
    of_district = list(settable([_notebook(PUBLIC_DISTRICT)]))
    return {item.slug: of_district for item in treated} | {_slug(path): list(settable([path])) for path in articles()}


def notebook_of(slug: str) -> Path:
    """Return the public notebook that runs for a district, or for all of them."""
    return _notebook(POOLED if slug == ALL_SLUG else PUBLIC_DISTRICT)


def _slug(notebook: Path) -> str:
    return ONCE_SLUGS.get(notebook.stem, notebook.stem.replace("_", "-"))


def _of_files(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return slug and name of the districts that the student files hold, or of the named ones, else `BadInput`."""
    from leapstudy.study.student_check import require_usable  # brings the engine, which figures alone do not need

    places = require_usable(load_settings()).districts
    by_name = {key: place for place in places for key in (place.slug, place.name, place.code)}
    strangers = [name for name in names if name not in by_name]
    if strangers:
        raise bad_value("district of the student files", strangers[0], [place.slug for place in places])
    units = list(dict.fromkeys(by_name[name] for name in names)) or list(places)
    return [(place.slug, short(place.name)) for place in units]


def _simulated(units: Sequence[District], *, by_name: bool) -> list[tuple[str, str]]:
    """Return slug and name of the units that the SIMULATED state has students of; a named one without is refused."""
    codes = simulated_districts()
    strangers = [item.name for item in units if item.code not in codes]
    if by_name and strangers:
        raise BadInput(
            f"The SIMULATED state of params/{SIMULATION} has no students of {strangers[0]}. Name student files of your "
            "own in params/students.yml, or run its public figures alone: --track public"
        )
    return [(item.slug, item.name) for item in units if item.code in codes]


def _notebook(name: str) -> Path:
    path = paths.notebooks() / f"{name}.ipynb"
    if not path.is_file():
        raise BadInput(f"The notebook {path.name} is missing. Restore notebooks/ from version control.")
    return path


def _inject(slug: str, notebook: Path, settings: Mapping[str, Any], folder: Path, **own: Any) -> dict[str, Any]:
    """Return the parameters of one run: the notebook's own, filled from files and command line."""
    own["result_path"] = str(folder / "result.json")
    values = {**settings, **_resolved(slug, settings).model_dump(), **own}
    return {name: values.get(name, default) for name, default in declared_parameters(notebook).items()}


def _district_run(data: StudyData, district: District, settings: Mapping[str, Any], out: Path) -> Run:
    slug, notebook = district.slug, _notebook(PUBLIC_DISTRICT)
    _require_sample(data, _spec(slug, settings), [district.code])
    return Run(slug, notebook, _inject(slug, notebook, settings, out / slug, district=slug), district.name)


def _spec(slug: str, settings: Mapping[str, Any]) -> Spec:
    return _resolved(slug, settings).spec()


def _resolved(slug: str, settings: Mapping[str, Any]) -> StudyParams:
    return resolve(slug, {key: value for key, value in settings.items() if key in KEYS})


def _articles(data: StudyData, notebooks: Sequence[Path], settings: Mapping[str, Any], out: Path) -> list[Run]:
    runs = []
    for notebook in notebooks:
        slug, reads = _slug(notebook), settable([notebook])
        if QUESTION & set(reads):  # refused here, before any kernel, what the notebook could not answer
            own = {key: value for key, value in settings.items() if key in reads}
            spec = _spec(slug, own)
            _require_sample(data, spec, treated_side(data.districts))
            if spec.prior == "published":
                _require_prior(data)
        runs.append(Run(slug, notebook, _inject(slug, notebook, settings, out / slug), _title(notebook)))
    return runs


def _require_sample(data: StudyData, spec: Spec, codes: Sequence[str]) -> None:
    """Raise `BadInput` unless the question can be asked, and its placebo: every answer is held against one."""
    sample = build_sample(data, spec, codes)
    require_whole(sample)
    spread_of(sample)
    for outcome in dict.fromkeys(outcomes_over_years(data, spec)):
        sample_of_every_year(data, replace(spec, scale="points", outcome=outcome), codes)
    clock = clock_of(data.state, data.starts, codes)
    try:
        build_sample(data, replace(spec, scale="points"), codes, [clock.label(offset) for offset in (-2, -1, 0)])
    except BadInput as reason:
        raise BadInput(
            f"Every answer is tested by the same comparison over the two years before the start. {reason} Add the year "
            f"that is missing to the tables. The bare difference, which no earlier year can test, is "
            f"ls.diff_in_diff(ls.panel()) in 50_your_own_analysis."
        ) from None


def _require_prior(data: StudyData) -> None:
    from leapstudy.data import load_facts
    from leapstudy.did.answering import NO_PRIOR  # a batch that does not ask for it need not import every estimator
    from leapstudy.study.public import known_prior

    if known_prior(data, load_facts()) is None:
        raise BadInput(NO_PRIOR)


def _student_runs(
    districts: Sequence[tuple[str, str]], pooled: bool, settings: Mapping[str, Any], out: Path
) -> list[Run]:
    notebook = _notebook(STUDENTS)
    pages = dict(districts) | ({ALL_SLUG: "All districts with visits"} if pooled else {})
    runs = []
    for slug, title in pages.items():
        folder = f"{STUDENT_SLUG}{slug}"
        parameters = _inject(slug, notebook, settings, out / folder, district=slug)
        runs.append(Run(folder, notebook, parameters, f"{title}, student track", "students"))
    return runs


def _title(notebook: Path) -> str:
    headings = (cell.source for cell in read_cells(notebook) if cell.kind == "markdown" and cell.source.strip())
    return next(headings, notebook.stem).strip().splitlines()[0].lstrip("# ")
