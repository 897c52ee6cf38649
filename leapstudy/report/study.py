"""What a notebook calls: one question in, everything that is known about it out."""

from dataclasses import asdict, dataclass
from typing import Any

from leapstudy.core.names import ALL_DISTRICTS, ALL_SLUG, parse_comparison
from leapstudy.data import District, Facts, StudyData, find_district, load_facts, load_study
from leapstudy.did.answer import DistrictAnswer, PooledAnswer
from leapstudy.did.answering import answer_all, answer_district
from leapstudy.did.comparison import comparison_label
from leapstudy.did.design import Spec
from leapstudy.evidence.assess import Evidence, assess
from leapstudy.report.result import made, save_result


@dataclass(frozen=True, slots=True)
class Study:
    """An answered question: the data it rests on, the answer, and what the answer is worth."""

    data: StudyData
    facts: Facts
    district: District
    spec: Spec
    answer: DistrictAnswer | PooledAnswer
    evidence: Evidence

    def save(self, result_path: str) -> None:
        """Write the result file; an empty path writes nothing."""
        params = {**asdict(self.spec), "comparison": comparison_label(self.spec.comparison)}
        save_result(
            result_path,
            track="public",
            district=self.district,
            params=params,
            made=made(self.data.hashes),
            estimates=self.answer.estimates,
            blocks={"answer": self.answer, "evidence": self.evidence},
        )


def ask(comparison: str = "alliance", **names: Any) -> Spec:
    """Return the spec that a notebook's parameters ask for; see `Spec` for the names."""
    return Spec(comparison=parse_comparison(comparison), **names)


def study_district(district: str, **names: Any) -> Study:
    """Answer the question for one district.

    Parameters
    ----------
    district
        Slug, name or code.
    **names
        `comparison`, `contrast`, `edition`, `outcome`, `weights`, `scale`, `seed`, as in params/study.yml.

    Raises
    ------
    BadInput
        For a district or name that is not legal, or a question that the data cannot be asked.
    """
    data, facts, spec = load_study(), load_facts(), ask(**names)
    found = find_district(data.districts, district)
    answer = answer_district(data, found.code, spec)
    return Study(data, facts, found, spec, answer, assess(data, facts, answer))


def study_all(**names: Any) -> Study:
    """Answer the question for all LEAP districts together; names as in `study_district`."""
    data, facts, spec = load_study(), load_facts(), ask(**names)
    answer = answer_all(data, spec)
    return Study(
        data, facts, District(ALL_DISTRICTS, answer.district, ALL_SLUG), spec, answer, assess(data, facts, answer)
    )
