"""Every sentence of a catalog is used, and every slot of it is filled, in a form that exists."""

import ast
import re
import string
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import leapstudy.words
from leapstudy.words.appendix import answers
from leapstudy.words.sentences import FORMS, catalog_file, sentence

WORDS = Path(leapstudy.words.__file__).parent
# Slots that are filled without being named at each call.
OWN = {"program", "unit", "units", "parent", "parents", "r", "scale", "ends"}
SAY = {"say", "finding"}
# Parts of a catalog that are chosen by verdict.
SECTIONS = {
    "verdicts",
    "primary_verdicts",
    "lottery_verdicts",
    "effect_refused",
    "leading_refused",
    "bounds",
    "designs_farthest",
}
CATALOGS: dict[str, tuple[Mapping[str, Any], list[str], set[str]]] = {
    "public": (catalog_file("public"), ["findings", "findings_sensitivity"], SECTIONS),
    "students": (catalog_file("students"), ["findings_students"], SECTIONS),
    "over_years": (catalog_file("over_years"), ["over_years"], {"tails"}),
    "ladder": (catalog_file("ladder"), ["ladder"], {"blocks"}),
    **{name: (catalog_file(name), [name], set()) for name in ("claims", "rollout", "tables")},
}
for track in ("public", "students"):
    CATALOGS[f"appendix_{track}"] = (
        {**catalog_file("appendix")["both"], **catalog_file("appendix")[track]},
        [f"appendix_{track}", "appendix", "appendix_source"],
        set(catalog_file("appendix")["titles"]) - set(answers(track)),
    )
"""Name -> its sentences, the modules that say them, and those that are said without a call of their own."""


def slots_of(text: str) -> list[tuple[str, str]]:
    """Return the name and the form of each slot of a sentence."""
    parts = [(name, form or "") for _, name, form, _ in string.Formatter().parse(text) if name is not None]
    return [(name.partition("[")[0].partition(".")[0], form.partition(" ")[0]) for name, form in parts]


def flat(text: str | Mapping[str, str]) -> str:
    """Return a finding's title and detail, or all of a section, as one text."""
    return text if isinstance(text, str) else " ".join(text.values())


def said(module: str, keys: Mapping[str, Any]) -> Iterator[tuple[str, set[str], bool]]:
    """Return key, names of the slots, and whether more come by a mapping, of each call that says a sentence."""
    for node in ast.walk(ast.parse((WORDS / f"{module}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in SAY:
            names = {word.arg for word in node.keywords if word.arg}
            for item in ast.walk(node.args[0]):
                if isinstance(item, ast.Constant) and item.value in keys:
                    yield item.value, names, any(word.arg is None for word in node.keywords)


@pytest.mark.parametrize("name", CATALOGS)
def test_every_sentence_is_used_and_filled(name):
    texts, modules, alone = CATALOGS[name]
    calls = [call for module in modules for call in said(module, texts)]
    for key, names, more in calls:
        needed = {slot for slot, _ in slots_of(flat(texts[key]))}
        assert names <= needed and (more or needed <= names | OWN), key
    assert set(texts) - {key for key, _, _ in calls} <= alone, "a sentence that nobody says"
    if name.startswith("appendix"):
        assert all(slot in OWN for key in alone for slot, _ in slots_of(texts[key])), "no function fills this slot"


def test_every_form_of_a_slot_exists():
    forms = {form for texts, *_ in CATALOGS.values() for text in texts.values() for _, form in slots_of(flat(text))}
    assert all(form in FORMS or re.fullmatch(r",?(\.\df)?", form) for form in forms)
    with pytest.raises(ValueError, match="Invalid format specifier"):
        sentence("{value:a form that nobody knows}", value=1.0)
