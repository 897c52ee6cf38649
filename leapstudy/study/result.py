"""`result.json`: everything that one run found and all that is needed to find it again."""

import json
import math
import platform
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
import pandas as pd
from pydantic import ConfigDict, Field, ValidationError

import leapstudy
from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.core.estimate import Estimate
from leapstudy.core.files import sha256_file, write_text_atomic
from leapstudy.core.names import Track
from leapstudy.core.parameter_file import Part
from leapstudy.core.sources import package_hash
from leapstudy.data.districts import District

SCHEMA = 1
PACKAGES = ("numpy", "pandas", "scipy", "statsmodels", "matplotlib", "seaborn", "papermill")


class Made(Part):
    """What the result was made with; see `made`."""

    leapstudy: str
    package_hash: str
    lock_hash: str
    python: str
    packages: dict[str, str]
    data_hashes: dict[str, str]
    simulated: bool
    source: str = ""


class Result(Part):
    """The one schema of `result.json`: `save_result` writes nothing else, and `load_result` reads nothing else.

    Attributes
    ----------
    estimates : tuple of Estimate
        The rows of `estimates.csv`.
    blocks : dict
        The frozen records behind the pages, by name: answer, evidence, plan, ... as `jsonable` writes them.
    """

    # a result that somebody changed to no number is read all the same, so that verify can name each such number
    model_config = ConfigDict(allow_inf_nan=True)

    schema_: Literal[1] = Field(alias="schema")
    track: Track
    district: District | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    made: Made | None = None
    estimates: tuple[Estimate, ...] = ()
    blocks: dict[str, Any] = Field(default_factory=dict)


def jsonable(value: Any) -> Any:
    """Return dataclasses, arrays and numpy scalars as plain dicts, lists and numbers; a frame as its columns by name.

    What is not a finite number (a missing interval, an infinite smallest detectable effect) becomes None.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, pd.DataFrame):
        return {str(name): [jsonable(cell) for cell in value[name]] for name in value.columns}
    if isinstance(value, pd.Series):
        return {str(name): jsonable(cell) for name, cell in value.items()}
    if isinstance(value, Mapping):
        return {str(name): jsonable(item) for name, item in value.items()}
    if isinstance(value, tuple | list | np.ndarray):
        return [jsonable(item) for item in value]
    if isinstance(value, np.generic):
        return jsonable(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is pd.NA or value is pd.NaT:
        return None
    if value is None or isinstance(value, str | int | bool):
        return value
    return str(value)


def restored(kind: Any, content: Any) -> Any:
    """Return what `jsonable` wrote as it was before.

    Parameters
    ----------
    kind
        Its type: a dataclass, a frame, a tuple of either, or one of them or None; all else stays as it is.
    content
        What was written. Columns of a frame that are all None become numbers that are missing.
    """
    if content is None:
        return None
    if kind is pd.DataFrame:
        frame = pd.DataFrame(content)
        return frame.astype({name: float for name in frame.columns if frame[name].isna().all()})
    if isinstance(kind, type) and is_dataclass(kind):
        return kind(**{name: restored(_kinds(kind)[name], value) for name, value in content.items()})
    inner = get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        return restored(inner[0], content)
    if get_origin(kind) is tuple:
        kinds = inner[:1] * len(content) if inner[-1] is Ellipsis else inner
        return tuple(map(restored, kinds, content))
    return content


_kinds = cache(get_type_hints)


@cache
def _versions() -> dict[str, str]:
    return {name: version(name) for name in PACKAGES}


def made(data_hashes: Mapping[str, str], *, simulated: bool = False) -> dict[str, Any]:
    """Return what a result was made with: versions, hashes of data, package and lock file, and whether SIMULATED."""
    lock = paths.root() / "requirements.lock"
    return {
        "leapstudy": leapstudy.__version__,
        "package_hash": package_hash(),
        "lock_hash": sha256_file(lock) if lock.is_file() else "",
        "python": platform.python_version(),
        "packages": dict(_versions()),
        "data_hashes": dict(data_hashes),
        "simulated": simulated,
    }


def save_result(path: str | Path, **parts: Any) -> None:
    """Write `parts` as a result file, atomically; an empty path writes nothing (a notebook opened by hand).

    Parameters
    ----------
    path
        Target file, or an empty text.
    **parts
        The fields of `Result`; anything `jsonable` understands.
    """
    if not str(path):
        return
    content = jsonable({"schema": SCHEMA, **parts})
    Result.model_validate(content)
    write_text_atomic(Path(path), json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")


def load_result(path: Path) -> dict[str, Any]:
    """Read a result file; its keys are the fields of `Result`.

    Raises
    ------
    BadInput
        If it is missing, is no JSON, was written in another schema, or does not have the fields of this one.
    """
    where, again = f"{path.name} of {path.parent.name!r}", "Run `leapstudy run --force`."
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise BadInput(f"{where} cannot be read ({error}). {again}") from None
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != SCHEMA:
        raise BadInput(f"{where} has schema {schema!r}; this version reads {SCHEMA}. {again}")
    try:
        Result.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise BadInput(f"{where} does not fit its schema: {field}: {first['msg']}. {again}") from None
    return content
