"""Parameter files as mappings and as records: whatever else stands in one is refused in words, never guessed."""

from collections.abc import Collection
from copy import deepcopy
from datetime import date
from functools import lru_cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator
from pydantic_core.core_schema import ValidationInfo

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.names import LARGEST_SEED

LONGEST_BYTES = 1_000_000
KINDS = {list: "a list", int: "a number", float: "a number", bool: "yes or no"}
RESTORE = "Restore it from version control, or see params/study.yml for the form."


# PyYAML's fast parser where it has one: eight times as fast, and each command reads five files.
_FAST: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Deeper than any parameter file; the fast parser would run out of the machine's own stack.
DEEPEST = 100


class _Loader(_FAST):  # type: ignore[valid-type, misc]
    """The safe loader without repeats; a date is the text that it is written as, with or without quotes."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Refuse a name that stands twice, or is no text."""
        keys: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.YAMLError(f"line {key.start_mark.line + 1}: a name must be a plain text")
            if key.value in keys:
                raise yaml.YAMLError(f"{key.value!r} stands twice, again in line {key.start_mark.line + 1}")
            keys.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_written_date(self, node: yaml.ScalarNode) -> str:
        """Return a date's own text; refuse a day that no calendar has."""
        self.construct_yaml_timestamp(node)
        return str(node.value)


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_written_date)


def read_text(path: Path, restore: str = RESTORE) -> str:
    """Return a small text file, with or without a byte order mark; `restore` is the next step where it is no such file.

    Raises
    ------
    BadInput
        If it cannot be read, is longer than a parameter file ever is, or is not UTF-8.
    """
    try:
        content = path.read_bytes()
        if len(content) > LONGEST_BYTES:
            raise BadInput(f"{path.name} has {len(content):,} bytes; no parameter file is that long. {restore}")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read ({error.strerror}). {restore}") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path.name} is not UTF-8 text. Save it again as UTF-8.") from None


def read_mapping(path: Path) -> dict[str, Any]:
    """Return name -> value of a YAML file; empty where the file is.

    Raises
    ------
    BadInput
        If it is not UTF-8, no YAML, no mapping, names a thing twice, or holds references.
    """
    text = read_text(path)
    try:
        content = deepcopy(_parsed(text))
    except (yaml.YAMLError, ValueError) as error:
        raise BadInput(f"{path.name} is not valid YAML: {' '.join(str(error).split())}.") from None
    except RecursionError:
        raise BadInput(f"{path.name} is nested too deeply for a parameter file. {RESTORE}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise BadInput(
            f"{path.name} holds {KINDS.get(type(content), 'text')}; it needs lines like `name: ...`. {RESTORE}"
        )
    if strange := [key for key in content if not isinstance(key, str)]:
        raise BadInput(f"{path.name} has the name {strange[0]!r}, which is no text. Put it in quotes.")
    return content


# An entry of a file of choices, to show where one is refused.
FORM = '`comparison: { value: others, reason: "why this one" }`.'


def read_choices(path: Path, legal: Collection[str]) -> dict[str, Any]:
    """Return parameter -> value of a file in which each has a `value` and a `reason`.

    Raises
    ------
    BadInput
        If it is no mapping, names a parameter that is not legal, or an entry lacks its value or reason.
    """
    content = read_mapping(path)
    for key, entry in content.items():
        if key not in legal:
            raise bad_value(f"parameter in {path.name}", key, legal, "params/study.yml says what each means.")
        if not isinstance(entry, dict) or "value" not in entry or not entry.get("reason"):
            raise BadInput(f"{path.name}: {key} needs a `value` and a `reason`: {FORM}")
    return {key: entry["value"] for key, entry in content.items()}


@lru_cache(maxsize=32)
def _parsed(text: str) -> Any:
    """Return what a text says; once for each text, since a study asks for the same few files time and again."""
    _require_plain(text)
    return yaml.load(text, _Loader)


def _require_plain(text: str) -> None:
    """Refuse references, by which a page of text can name billions of values, and lists in lists without end."""
    depth = 0
    for event in yaml.parse(text, _FAST):
        if isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1  # type: ignore[union-attr]
            raise yaml.YAMLError(f"line {line} refers to another place (*), write the value out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise RecursionError


def packaged(place: str, name: str) -> dict[str, Any]:
    """Return a declaration that is shipped with the package, ``name.yml`` beside the module `place`.

    These files are the package's own, so that nothing in them is refused.
    """
    text = Path(place).with_name(f"{name}.yml").read_text(encoding="utf-8")
    return yaml.load(text, _FAST)


class Part(BaseModel):
    """A part of a parameter file, frozen: keys that it does not have, yes for 1 and infinite numbers are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _as_written(cls, value: Any, info: ValidationInfo) -> Any:
        """Take an empty text for nothing where that is legal; refuse yes and no, which YAML reads as true and false."""
        kind = cls.model_fields[str(info.field_name)].annotation
        if value == "" and NoneType in get_args(kind):
            return None
        if isinstance(value, bool) and kind is not bool:
            raise ValueError(f"{'yes' if value else 'no'} is neither a number nor a text here")
        return value


def _day(text: str) -> str:
    try:
        return text and date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(f"{text!r} is no day; write it as 2031-08-01, or leave it empty") from None


def _month(text: str) -> str:
    try:
        return text and f"{date.fromisoformat(f'{text}-01'):%Y-%m}"
    except ValueError:
        raise ValueError(f"{text!r} is no month; write it as 2031-08, or leave it empty") from None


# A day as text, ``2031-08-01``, with or without quotes; or empty.
Day = Annotated[
    str, BeforeValidator(lambda value: value.isoformat() if isinstance(value, date) else value), AfterValidator(_day)
]
# A month as text, ``2031-08``; or empty.
Month = Annotated[str, AfterValidator(_month)]


# A number that decides draws.
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]

Record = TypeVar("Record", bound=Part)


def read_part(path: Path, kind: type[Record]) -> Record:
    """Return a parameter file as the record that it is declared to be.

    Raises
    ------
    BadInput
        If the file is missing or no mapping; else as `checked_part`.
    """
    if not path.is_file():
        raise BadInput(
            f"The parameter file {path.name} is missing. Restore it from version control, or copy the one of the study "
            "that comes with leapstudy and change its values."
        )
    return checked_part(read_mapping(path), kind, path.name)


def checked_part(content: object, kind: type[Record], name: str) -> Record:
    """Return content as a record.

    Raises
    ------
    BadInput
        If a key is unknown or missing, or a value is not legal; every fault is named, with its place in `name`.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(f"{place}: {words}" for place, words in faults_of(error, kind))
        raise BadInput(f"{name} cannot be used: {faults}") from None


def faults_of(error: ValidationError, kind: type[Part]) -> list[tuple[str, str]]:
    """Return place (``program.announced``) and words of every fault; of an unknown key with the legal ones."""
    faults, errors = [], error.errors()
    inside = {item["loc"][:n] for item in errors for n in range(len(item["loc"]))}
    for item in errors:
        if item["type"] == "too_short" and item["loc"] in inside:
            continue  # what is left of a list once the faulty items, which are told, are taken out
        loc, message = item["loc"], item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            message, loc = str(bad_value("key", loc[-1], _legal_keys(kind, loc[:-1]))), loc[:-1]
        if isinstance(item["input"], str | int | float) and message == item["msg"]:
            message = f"{item['input']!r}: {message[0].lower()}{message[1:]}"
        if item["type"] == "string_type":
            message = f"{message}; put it in quotes"
        faults.append((".".join(map(str, loc)) or "the whole file", message))
    return faults


def _legal_keys(kind: Any, loc: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the part of a record at `loc`."""
    for place in loc:
        if isinstance(kind, type) and issubclass(kind, Part):
            kind = kind.model_fields[str(place)].annotation if place in kind.model_fields else kind
        else:
            kind = next((of for of in get_args(kind)[::-1] if of is not Ellipsis and of is not type(None)), kind)
        if get_origin(kind) in (Union, UnionType):
            kind = next(of for of in get_args(kind) if isinstance(of, type) and issubclass(of, Part))
    return list(kind.model_fields)
