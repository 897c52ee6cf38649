"""How far trends may depart before the effect on visited students can no longer be told from none."""

from leapstudy.core.phrases import number
from leapstudy.figures import bars as sure
from leapstudy.figures.exhibit import Exhibit
from leapstudy.figures.students_common import refused_exhibit, student_caption, student_exhibit
from leapstudy.figures.style import in_house_style
from leapstudy.study.students import StudentStudy

TITLE = "How far may trends depart before the answer changes"
ALONE = (
    "Robust bounds are made for all districts together, where months before the visit are seen clearly; see that page."
)


@in_house_style
def bounds(study: StudentStudy) -> Exhibit:
    """Draw the robust interval of the headline as the difference may depart from month to month."""
    found = study.answer.bounds
    if found is None:
        return refused_exhibit(study, TITLE, [ALONE], "Made for all districts together", study.sizes)
    what = (
        f"Robust 95 % interval of the mean effect over {study.headline_words} as the difference may depart from one "
        f"month to the next by so much; the largest change in {found.months} months before the visit was "
        f"{number(found.largest_before_pp)} points"
    )
    drawn = sure.breakdown(
        [sure.Departure(study.headline_words, found.table, found.breakdown)], student_caption(study, what, study.sizes)
    )
    return student_exhibit(study, drawn.figure, TITLE, [drawn.alt], what, study.sizes, drawn.data)
