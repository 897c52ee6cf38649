"""The state's published figures: declared, checked, cleaned in the open."""

from leapstudy.data.districts import District, find_district, treated_districts
from leapstudy.data.load import Facts, StudyData, copied, kept_study, load_facts, load_study

__all__ = [
    "District",
    "Facts",
    "StudyData",
    "copied",
    "find_district",
    "kept_study",
    "load_facts",
    "load_study",
    "treated_districts",
]
