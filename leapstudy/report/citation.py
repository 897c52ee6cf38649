"""Whether CITATION.cff is valid: the musts of the Citation File Format 1.2.0 that this project's file uses."""

import datetime
from typing import Any

import yaml

REQUIRED = ("cff-version", "message", "title", "authors")
KINDS = ("software", "dataset")
REFERENCE_NEEDS = ("type", "title", "authors")
PERSON = ("family-names", "given-names", "alias")
ENTITY = "name"


def citation_faults(text: str, version: str) -> list[str]:
    """Return what is wrong with a citation file; empty where it is valid.

    Parameters
    ----------
    text
        The file's text.
    version
        The version that it must name.
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        return [f"CITATION.cff is no YAML ({error})"]
    if not isinstance(content, dict):
        return ["CITATION.cff is not there or is empty"]
    faults = [f"{name} is missing" for name in REQUIRED if not content.get(name)]
    if content.get("cff-version") not in (None, "1.2.0"):
        faults.append(f"cff-version is {content['cff-version']!r}, not '1.2.0'")
    if content.get("type", "software") not in KINDS:
        faults.append(f"type is {content['type']!r}, not one of {', '.join(KINDS)}")
    if str(content.get("version", "")) != version:
        faults.append(f"version is {content.get('version')!r}, the project's is {version!r}")
    if not _is_day(content.get("date-released")):
        faults.append(f"date-released is {content.get('date-released')!r}, not a day")
    return [*faults, *_author_faults("authors", content.get("authors")), *_reference_faults(content.get("references"))]


def _is_day(value: Any) -> bool:
    if isinstance(value, datetime.date):
        return True
    try:
        return bool(datetime.date.fromisoformat(str(value)))
    except ValueError:
        return False


def _author_faults(where: str, authors: Any) -> list[str]:
    if not isinstance(authors, list):
        return [] if authors is None else [f"{where} is no list"]
    nameless = [
        item for item in authors if not isinstance(item, dict) or not any(item.get(key) for key in (*PERSON, ENTITY))
    ]
    return [f"{where} holds an author without a name"] if nameless else []


def _reference_faults(references: Any) -> list[str]:
    faults = []
    for number, item in enumerate(references or [], start=1):
        where = f"reference {number}"
        faults += [f"{where} lacks {name}" for name in REFERENCE_NEEDS if not item.get(name)]
        faults += _author_faults(f"authors of {where}", item.get("authors"))
    return faults
