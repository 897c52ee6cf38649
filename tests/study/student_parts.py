"""Every figure and every sentence of the student track, for tests that walk over all of them."""

import inspect
import re

from leapstudy.figures import students_before, students_effects
from leapstudy.words import findings_students

FIGURES = (
    students_before.picked,
    students_before.rebound,
    students_before.raw_paths,
    students_effects.event_study,
    students_effects.bounds,
    students_effects.designs,
    students_effects.placebo_paths,
    students_effects.beside_published,
)
SENTENCES = tuple(
    sentence
    for name, sentence in inspect.getmembers(findings_students, inspect.isfunction)
    if not name.startswith("_") and list(inspect.signature(sentence).parameters) == ["study"]
)
# A value that no sentence may hold.
HOLE = re.compile(r"\b(nan|None(?! of)|inf)\b")
