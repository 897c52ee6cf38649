"""The front door to the study: its panel as a tidy frame, its own answers, and results written to files."""

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput, bad_value, shown
from leapstudy.core.estimate import to_frame
from leapstudy.core.files import write_text_atomic
from leapstudy.core.names import ALL_SLUG, Weights, check_option
from leapstudy.data import StudyData, find_district, kept_study, treated_side
from leapstudy.did.contrasts import event_time
from leapstudy.did.design import Sample, build_panel, build_sample
from leapstudy.did.frames.results import Result
from leapstudy.study.over_years import sample_over_years
from leapstudy.study.public import Study, ask, study_all, study_district
from leapstudy.study.rollout.records import require_units_open

if TYPE_CHECKING:
    from leapstudy.study.students import StudentStudy

Years = Literal["contrast", "all", "long"]


def panel(
    district: str | Sequence[str] | None = None,
    *,
    comparison: str | Sequence[str] | None = None,
    outcome: str | None = None,
    contrast: str | None = None,
    edition: str | None = None,
    weights: Weights = "equal",
    nested: str | None = None,
    years: Years = "contrast",
) -> pd.DataFrame:
    """Return the study's data as a tidy frame: one row a district and year, both sides, no missing figure.

    Parameters
    ----------
    district
        Slug, name or code of a district that had the program, or several of them; all of them by default.
    comparison
        Name of a comparison group, or district codes; the study's own by default.
    outcome, contrast, edition
        As in params/study.yml; the study's own by default. The contrast says which years; a district that lacks one of
        them is left out.
    weights
        "equal" (`weight` is 1), or "students" (enrollment before the program).
    nested
        "none", "cluster" or "stratum", as in params/study.yml; the study's own by default. With "stratum" `rate_pct` is
        the figure less the comparison mean of its stratum, plus the mean of those over the treated districts.
    years
        "contrast": the years of the contrast, so that a regression gives the published number. "all": every year of the
        file of which one of the districts has a figure, for pictures and event studies. "long": the joined series of
        an outcome that params/state.yml declares over many years, without those it sets aside; the contrast is not
        asked, weights are equal, and `students` is empty.

    Returns
    -------
    DataFrame
        `district_code` (text), `district`, `year` (school year, as text; where starts differ, years since
        each unit's own start, the figures being those of `did.sample`), `rate_pct` (percent; `value` of an outcome
        that is no share), `treated` (1: had the program), `post` (1: from the program's first year on; for a placebo,
        from the year that stands for it), `event_time` (years since the program's first), `weight`, `students`
        (enrollment), then the district's traits as
        in data/CODEBOOK.md.

    Raises
    ------
    BadInput
        For an unknown name, with the legal ones, a contrast that the data cannot form, or, where lots were drawn,
        before outcomes are open.

    Examples
    --------
    The published estimate is the coefficient of a regression that anybody can write:

    >>> import leapstudy as ls
    >>> import statsmodels.formula.api as smf
    >>> panel = ls.panel()
    >>> model = smf.ols("rate_pct ~ treated:post + C(district) + C(year)", panel).fit()
    >>> print(f"{model.params['treated:post']:.10f}")
    -0.3358596491
    """
    check_option("years", years, Years, "The contrast's years, every year of the file, or the series over many years.")
    data = kept_study()
    require_units_open(data)
    names = {"comparison": comparison, "contrast": contrast, "edition": edition, "outcome": outcome, "nested": nested}
    spec = ask(weights=weights, scale="points", **{name: value for name, value in names.items() if value is not None})
    codes = _codes(data, district)
    if years == "long":
        return _tidy(data, sample_over_years(data, replace(spec, weights="equal"), codes)).assign(students=np.nan)
    every = build_panel(data, spec.outcome, spec.edition).years_of(codes) if years == "all" else None
    return _tidy(data, build_sample(data, spec, codes, every))


def _codes(data: StudyData, district: str | Sequence[str] | None) -> list[str]:
    if district is None:
        return treated_side(data.districts)
    several = isinstance(district, Sequence) and not isinstance(district, str)
    return [find_district(data.districts, key).code for key in (district if several else [district])]


def _tidy(data: StudyData, sample: Sample) -> pd.DataFrame:
    codes, years = [*sample.treated, *sample.comparison], list(sample.years)
    traits = data.districts.set_index("district_code").loc[codes]
    size = np.concatenate([sample.sizes_treated, sample.sizes_comparison])
    since = [event_time(year, sample.start) for year in years]
    column = "rate_pct" if data.state.outcomes[sample.spec.outcome].measure is None else "value"
    # a placebo contrast asks about years before the program
    first = min(0, *(event_time(year, sample.start) for year in sample.contrast.post))
    rows = pd.DataFrame(
        {
            "district_code": np.repeat(codes, len(years)),
            "district": np.repeat(traits["district"].to_numpy(), len(years)),
            "year": np.tile(years if sample.by_start is None else since, len(codes)),
            column: np.vstack([sample.y_treated, sample.y_comparison]).ravel(),
            "treated": np.repeat([1, 0], [len(sample.treated) * len(years), len(sample.comparison) * len(years)]),
            "post": np.tile([int(offset >= first) for offset in since], len(codes)),
            "event_time": np.tile(since, len(codes)),
            "weight": np.repeat(size, len(years)),
            "students": np.vstack([sample.students_treated, sample.students_comparison]).ravel(),
        }
    )
    more = traits.drop(columns=["slug", *traits.columns.intersection(rows.columns)]).rename_axis("district_code")
    more = more.reset_index()
    return rows.merge(more, on="district_code", how="left", validate="many_to_one")


def answer(
    district: str | None = None,
    *,
    comparison: str | Sequence[str] | None = None,
    contrast: str | None = None,
    edition: str | None = None,
    outcome: str | None = None,
    weights: Weights = "equal",
) -> Study[Any]:
    """Answer the study's question in full, as its pages do: every test, sensitivity analysis and standard of evidence.

    Parameters
    ----------
    district
        Slug, name or code; all districts together by default, which takes some seconds.
    comparison, contrast, edition, outcome, weights
        As in `leapstudy.panel`.

    Returns
    -------
    Study
        `.answer`, `.evidence`, `.plan`; `leapstudy.show` says it in words.

    Raises
    ------
    BadInput
        For an unknown name, or a question that the data cannot be asked.

    Examples
    --------
    >>> import leapstudy as ls
    >>> len(repr(ls.answer("hartford")).splitlines()) <= 10
    True
    """
    choices = {
        "comparison": comparison,
        "contrast": contrast,
        "edition": edition,
        "outcome": outcome,
        "weights": weights,
    }
    names: dict[str, Any] = {name: value for name, value in choices.items() if value is not None}
    return study_all(**names) if district is None else study_district(district, **names)


def answer_students(district: str = ALL_SLUG) -> "StudentStudy":
    """Answer the student track's question: the effect on visited students, from the files that params/students.yml
    names.

    Parameters
    ----------
    district
        Slug of a district, or all of them together.

    Returns
    -------
    StudentStudy
        Aggregates only, small counts hidden; never a student's row.

    Raises
    ------
    BadInput
        For a district without students in the files.

    Examples
    --------
    As shipped, the students are SIMULATED:

    >>> import leapstudy as ls
    >>> ls.answer_students().simulated
    True
    """
    from leapstudy.study.students import study_students  # brings the engine, which no other call needs

    return study_students(district)


def save(result: "Result | Study[Any] | StudentStudy", path: str | Path) -> None:
    """Write a result to a file, whose ending says how.

    Parameters
    ----------
    result
        What any function of this package returned.
    path
        `.csv`: its table. `.json`: everything (answers only). `.png`, `.svg`, `.pdf`: its picture (results of frames
        only).

    Raises
    ------
    BadInput
        For another ending, or one that the result does not have.

    Examples
    --------
    >>> import leapstudy as ls, tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ls.save(ls.diff_in_diff(ls.panel()), pathlib.Path(folder, "mine.csv"))
    ...     print(pathlib.Path(folder, "mine.csv").read_text().splitlines()[0])
    method,estimate,ci_low,ci_high,p_value,p_floor,leads
    """
    _check_saved(result, path)
    file, pictures = Path(path), (".png", ".svg", ".pdf")
    legal = [".csv", *(pictures if isinstance(result, Result) else (".json",))]
    if file.suffix not in legal:
        raise bad_value(
            "ending of a result's file", file.suffix, legal, f"{type(result).__name__} is written as one of them."
        )
    if file.suffix == ".json" and not isinstance(result, Result):
        result.save(str(file))
    elif isinstance(result, Result) and file.suffix in pictures:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.2, 4), layout="constrained")
        result.plot(figure.subplots())
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file)
    else:
        table = result.to_frame() if isinstance(result, Result) else to_frame(result.answer.estimates)
        write_text_atomic(file, table.to_csv(index=False, lineterminator="\n"))


def _check_saved(result: object, path: object) -> None:
    """Refuse what is no result, and a place that is no path."""
    if not isinstance(result, Result | Study):
        from leapstudy.study.students import StudentStudy

        if not isinstance(result, StudentStudy):
            raise BadInput(f"{shown(result)} cannot be saved: give what a function of leapstudy returned.")
    if not isinstance(path, str | PathLike):
        raise BadInput(f"path must be text or a path; got {shown(path)}. Write it as 'mine.csv'.")
