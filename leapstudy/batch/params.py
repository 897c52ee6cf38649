"""The parameters of a run: typed, declared once, and refused before any kernel starts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from leapstudy.core import paths
from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.names import ContrastName, Edition, Outcome, PriorName, Scale, Weights, parse_comparison
from leapstudy.did.design import Spec


def _comparison(text: str) -> str:
    parse_comparison(text)
    return text


class StudyParams(BaseModel):
    """Every parameter that `params/` and `--set` share; text is never taken for a number, nor a number for text."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    comparison: Annotated[str, AfterValidator(_comparison)]
    contrast: ContrastName
    edition: Edition
    outcome: Outcome
    weights: Weights
    scale: Scale
    seed: Annotated[int, Field(ge=0)]
    prior: PriorName

    def spec(self) -> Spec:
        """Return what is asked of the data."""
        values = {**self.model_dump(), "comparison": parse_comparison(self.comparison)}
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
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise BadInput(f"{path.name} is not valid YAML: {error}.") from None
    for key, entry in content.items():
        check_key(key, path.name)
        if not isinstance(entry, dict) or "value" not in entry or not entry.get("reason"):
            raise BadInput(f"{path.name}: {key} needs a `value` and a `reason`.")
    return {key: entry["value"] for key, entry in content.items()}


def check_key(key: str, where: str) -> None:
    """Raise `BadInput` unless `key` is a parameter of the study."""
    if key not in KEYS:
        raise bad_value(f"parameter in {where}", key, KEYS, "params/study.yml says what each means.")


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """Return ``--set key=value`` texts as a mapping; only `seed` becomes a number."""
    parsed: dict[str, Any] = {}
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator:
            raise BadInput(f"--set needs key=value, got {setting!r}. Legal keys: {', '.join(KEYS)}.")
        check_key(key, "--set")
        parsed[key] = _whole(value) if key == "seed" else value
    return parsed


def _whole(value: str) -> int:
    if not value.isdigit():
        raise BadInput(f"seed must be a whole number, got {value!r}. For example: --set seed=7.")
    return int(value)


def resolve(slug: str, settings: Mapping[str, Any], folder: Path | None = None) -> StudyParams:
    """Return the parameters of one run: the study's, then the district's own, then the command line's."""
    base = folder or paths.params()
    study = read_params(base / "study.yml", required=True)
    own = read_params(base / "districts" / f"{slug}.yml")
    try:
        return StudyParams(**{**study, **own, **settings})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise BadInput(
            f"Parameter {key}: {first.get('input')!r} is not legal ({first['msg']}). params/study.yml lists the legal values."
        ) from None
