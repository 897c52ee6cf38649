"""Every sentence of a catalog is used, and every slot of it is filled with a form that exists."""

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import leapstudy.words
from leapstudy.words.appendix import ANSWERS
from leapstudy.words.sentences import FORMS, catalog_file, sentence

WORDS = Path(leapstudy.words.__file__).parent
OWN = {"program", "unit", "units", "parent", "parents", "r", "scale"}
"""Slots that every sentence of the appendix can have."""


def slots_of(text: str) -> list[tuple[str, str]]:
    """Return the name and the form of each slot of a sentence."""
    parts = [(name, form or "") for _, name, form, _ in string.Formatter().parse(text) if name is not None]
    return [(name.partition("[")[0].partition(".")[0], form.partition(" ")[0]) for name, form in parts]


def names_of(text: str) -> set[str]:
    """Return the names of a sentence's slots."""
    return {name for name, _ in slots_of(text)}


def said(module: str) -> Iterator[tuple[str, set[str], bool]]:
    """Return key, names of the slots, and whether more come by a mapping, of each call of `source.say`."""
    for node in ast.walk(ast.parse((WORDS / f"{module}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "say":
            names = {word.arg for word in node.keywords if word.arg}
            for item in ast.walk(node.args[0]):
                if isinstance(item, ast.Constant) and item.value in every_key():
                    yield item.value, names, any(word.arg is None for word in node.keywords)


def every_key() -> set[str]:
    """Return every key of the appendix."""
    return {key for part, texts in catalog_file("appendix").items() if part != "titles" for key in texts}


@pytest.mark.parametrize("track", ["public", "students"])
def test_every_sentence_of_the_appendix_is_used_and_filled(track):
    catalog = catalog_file("appendix")
    texts = {**catalog["both"], **catalog[track]}
    calls = [call for module in (f"appendix_{track}", "appendix", "appendix_source") for call in said(module)]
    for key, names, more in calls:
        needed = names_of(texts[key]) - OWN
        assert names <= needed and (more or names == needed), key
    alone = set(catalog["titles"]) - set(ANSWERS[track])
    assert set(texts) - {key for key, _, _ in calls} <= alone, "a sentence that nobody says"
    assert all(names_of(texts[key]) <= OWN for key in alone), "a point without a function fills no slot"


def test_every_form_of_a_slot_exists():
    texts = [text for part in catalog_file("appendix").values() for text in part.values()]
    forms = {form for text in texts for _, form in slots_of(text)}
    assert forms <= {"", ",", *FORMS}
    with pytest.raises(ValueError, match="Invalid format specifier"):
        sentence("{value:a form that nobody knows}", value=1.0)
