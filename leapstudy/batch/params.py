"""The parameters of a run: typed, declared once, and refused before any kernel starts."""

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from leapstudy.core import paths
from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.names import Nesting, PriorName, Scale, Weights
from leapstudy.core.parameter_file import FORM, Seed, read_choices
from leapstudy.data.state import load_state
from leapstudy.did.comparison import parse_comparison
from leapstudy.did.design import Spec


def check_names(readers: Mapping[str, Collection[str]]) -> None:
    """Raise `BadInput` for a file of `params/districts/`, or a key in one, that no run would read.

    Parameters
    ----------
    readers
        Slug of every run that may have a file of its own -> the parameters that its notebook reads.
    """
    for path in sorted((paths.params() / "districts").glob("*")):
        if path.name.startswith(".") or path.name == "README.md":
            continue
        if not path.is_file():
            raise BadInput(
                f"params/districts/{path.name} cannot be read: a folder, or a link to nothing. Take it away."
            )
        if path.suffix != ".yml" or path.stem not in readers:
            raise bad_value(
                "parameter file in params/districts/",
                path.name,
                [f"{slug}.yml" for slug in readers],
                f"Name it after the run's slug (`leapstudy list`), or move it away. Its form: {FORM}",
            )
        for key in read_params(path):
            if key not in readers[path.stem]:
                raise bad_value(f"parameter in {path.name}", key, readers[path.stem], "The notebook reads no other.")


def _comparison(text: str) -> str:
    parse_comparison(text, load_state())
    return text


def _declared(what: str, part: str) -> AfterValidator:
    """Return a check that a text is one of the names that a part of `params/state.yml` declares."""

    def check(text: str) -> str:
        """Return a declared name; refuse any other."""
        if text not in (legal := getattr(load_state(), part)):
            raise bad_value(what, text, legal, "params/state.yml declares them.")
        return text

    return AfterValidator(check)


class StudyParams(BaseModel):
    """Every parameter that `params/` and `--set` share; text is never taken for a number, nor a number for text."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    comparison: Annotated[str, AfterValidator(_comparison)]
    contrast: Annotated[str, _declared("contrast", "contrasts")]
    edition: Annotated[str, _declared("edition", "editions")]
    outcome: Annotated[str, _declared("outcome", "outcomes")]
    weights: Weights
    scale: Scale
    seed: Seed
    prior: PriorName
    nested: Nesting = "none"

    def spec(self) -> Spec:
        """Return what is asked of the data."""
        values = {**self.model_dump(), "comparison": parse_comparison(self.comparison, load_state())}
        return Spec(**values)


KEYS = tuple(StudyParams.model_fields)


def read_params(path: Path, *, required: bool = False) -> dict[str, Any]:
    """Return key -> value of a parameter file.

    Raises
    ------
    BadInput
        If it is no YAML, has an unknown key, or an entry lacks its `value` or `reason`.
    """
    if not path.is_file():
        if required:
            raise BadInput(f"The parameter file {path.name} is missing. Restore params/ from version control.")
        return {}
    return read_choices(path, KEYS)


def parse_settings(settings: Sequence[str]) -> dict[str, str]:
    """Return ``--set key=value`` texts as a mapping; what each key takes is known once the notebooks are.

    Raises
    ------
    BadInput
        If a text is no key=value, or a key is given twice.
    """
    values: dict[str, str] = {}
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator:
            raise BadInput(f"--set needs key=value, got {setting!r}. Legal keys: {', '.join(KEYS)}.")
        if key in values:
            raise BadInput(f"--set {key} is given twice: {values[key]!r} and {value!r}. Give it once.")
        values[key] = value
    return values


def typed_settings(settings: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings as the types that the planned notebooks declare.

    Parameters
    ----------
    settings
        Key -> value, as text or typed.
    declared
        Key -> default, of every notebook that is planned.

    Raises
    ------
    BadInput
        If no planned notebook reads a key, or its value is of another kind.
    """
    values: dict[str, Any] = {}
    for key, value in settings.items():
        if key not in declared:
            raise bad_value("parameter in --set", key, declared, "No notebook that is asked for reads it.")
        values[key] = _as_declared(key, value, declared[key]) if isinstance(value, str) else value
    return values


def _as_declared(key: str, value: str, default: Any) -> Any:
    if isinstance(default, int) and not isinstance(default, bool):
        if not (value.isascii() and value.isdigit()):
            raise BadInput(f"{key} must be a whole number from 0 on, got {value!r}. For example: --set {key}=7.")
        return int(value)
    if isinstance(default, float):
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise BadInput(f"{key} must be a number, got {value!r}. For example: --set {key}={default}.")
        return number
    if not isinstance(default, str):
        raise BadInput(f"{key} is a {type(default).__name__}, which --set cannot give. Change it in the notebook.")
    return value


def resolve(slug: str, settings: Mapping[str, Any]) -> StudyParams:
    """Return the parameters of one run: the study's, then the district's own, then the command line's."""
    base = paths.params()
    study = read_params(base / "study.yml", required=True)
    own = read_params(base / "districts" / f"{slug}.yml")
    values = {**study, **own, **settings}
    if isinstance(values.get("comparison"), list | tuple):
        values["comparison"] = ",".join(map(str, values["comparison"]))
    try:
        return StudyParams(**values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        if first["type"] == "missing":
            raise BadInput(f"params/study.yml lacks {key}; every parameter is written like {FORM}") from None
        raise BadInput(
            f"Parameter {key}: {first.get('input')!r} is not legal ({first['msg']}). params/study.yml lists the legal "
            f"values."
        ) from None
