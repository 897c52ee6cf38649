"""Every legal value of every parameter, alone and in pairs, is answered or refused in words: numbers, sentences,
pages.
"""

from typing import get_args

import pytest
from covering import covering

from leapstudy.core import names
from leapstudy.core.errors import BadInput
from leapstudy.data.names import study_names
from leapstudy.study.public import study_all, study_district
from leapstudy.study.result import jsonable
from leapstudy.words import findings, findings_sensitivity, ladder
from leapstudy.words.appendix import checklist
from leapstudy.words.plain_page import LANGUAGES, plain_page
from leapstudy.words.reading import read_result

STATE = study_names().state
LEGAL = {
    "ask": ["all", "hartford", "crec"],
    "comparison": [*STATE.groups, "0830011,2680013", "1280011,2150012", "0500011,1000011,9020022"],
    "contrast": [*STATE.contrasts],
    "edition": [*STATE.editions],
    "outcome": [*STATE.outcomes],
    "weights": [*get_args(names.Weights)],
    "scale": [*get_args(names.Scale)],
    "prior": [*get_args(names.PriorName)],
}
BROKEN = ("nan", "None", "inf", "{", "}", "−0.00 ", "holds " + "zero", "is due")


def everything_said(study) -> list[str]:
    """Return all that notebooks, plain page and appendix say of a study."""
    answer = study.answer
    pooled = answer.main.district_code == names.ALL_DISTRICTS
    said = [
        say(study)
        for say in (
            findings.answer,
            findings.could_we_see_it,
            findings.raw_means,
            findings.chance,
            findings.comparisons,
            findings.editions,
            findings.rebound,
            findings.leave_one_out,
            findings.grade,
            findings.days,
            findings_sensitivity.bounds,
            findings_sensitivity.grade_conditions,
            findings_sensitivity.plan,
        )
    ]
    said += [findings.trends(item) for item in (answer.event_study, answer.chronic)]
    said.append(ladder.ladder(answer))
    shared = (findings_sensitivity.curve, findings_sensitivity.in_time, findings_sensitivity.estimators)
    own = (findings.forest, findings_sensitivity.pooled) if pooled else (findings_sensitivity.tests,)
    said += [say(answer) for say in (*shared, *own)]
    blocks = {"answer": answer, "evidence": study.evidence, "plan": study.plan, "standings": study.standings}
    result = jsonable(
        {
            "district": study.district,
            "estimates": answer.estimates,
            "params": study.params,
            "made": {},
            "blocks": blocks,
        }
    )
    said += [plain_page(read_result(result), lang).text for lang in LANGUAGES]
    return [str(text) for text in said] + [point.answer for point in checklist(result)]


@pytest.mark.slow
@pytest.mark.parametrize("row", covering(LEGAL, 1).rows, ids=lambda row: "-".join(row.values()))
def test_every_pair_of_choices_is_answered_or_refused_in_words(row, monkeypatch):
    ask, choice = row["ask"], {key: value for key, value in row.items() if key != "ask"}
    # nothing here is said of the outcome over many years, which takes half of the time: tests/did/test_did_long_outcome
    monkeypatch.setattr("leapstudy.study.public.over_years", lambda *_, **__: None)
    try:
        study = study_all(robust=False, **choice) if ask == "all" else study_district(ask, **choice)
    except BadInput as refusal:
        assert len(str(refusal)) > 30
        return
    for text in everything_said(study):
        assert text.strip() and not [
            word for word in BROKEN if word in text.split() or (word in text and len(word) > 4)
        ], text
