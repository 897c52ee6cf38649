"""How far trends may depart before the effect on visited students can no longer be told from none."""

from leapstudy.figures.exhibit import Exhibit, at_both_widths
from leapstudy.figures.frame import axes, label, signed, styled
from leapstudy.figures.palette import BAND, COMPARISON, INK, OWN, SMALL, WIDE
from leapstudy.figures.students_common import refused_exhibit, student_exhibit, student_frame
from leapstudy.study.students import StudentStudy
from leapstudy.words import findings_students as words


@at_both_widths
def bounds(study: StudentStudy, width: float = WIDE) -> Exhibit:
    """Draw the robust interval of the headline as the difference may depart from month to month.

    Parameters
    ----------
    study
        Its `answer.bounds` holds the intervals; there are none for one district, or where none is needed.
    width
        `WIDE` or `NARROW`, inches.
    """
    sets, finding = study.answer.bounds, words.bounds(study)
    if sets is None:
        return refused_exhibit(study, finding.title, [finding.detail], width)
    what = (
        f"Robust 95% CI of the mean effect over {study.headline_words}, percentage points, by how much the difference "
        f"may change from month to month, in multiples of the largest change before the visit"
    )
    rows = sets.table
    with styled():
        figure, bottom, top = student_frame(study, finding, what, 2.6, width)
        picture = axes(figure, 0.5, width - 0.25, bottom + 0.42, top - 0.1)
        picture.fill_between(rows["m"], rows["low_pp"], rows["high_pp"], color=BAND, linewidth=0)
        for end in ("low_pp", "high_pp"):
            picture.plot(rows["m"], rows[end], color=OWN, linewidth=1.8, marker="o", markersize=4)
        picture.axhline(0, color=INK, linewidth=1.1)
        low, high = min(float(rows["low_pp"].min()), 0.0), max(float(rows["high_pp"].max()), 0.0)
        picture.set(xlim=(0, float(rows["m"].max())), ylim=(low - 0.12 * (high - low), high + 0.1 * (high - low)))
        if sets.breakdown:
            picture.axvline(sets.breakdown, color=INK, linewidth=1.2, linestyle="--")
            right = sets.breakdown > float(rows["m"].max()) / 2  # the words stand where there is room
            note, shift = f"breaks down at {sets.breakdown:.2f}", (-4 if right else 4, -2)
            label(picture, note, (sets.breakdown, 1.0), shift, y="axes fraction", va="top")
        picture.locator_params(nbins=5)
        picture.yaxis.set_major_formatter(lambda value, _: signed(value))
        picture.xaxis.set_major_formatter(lambda value, _: f"{value:g}×")
        picture.set_xlabel("times the largest change before", size=SMALL, color=COMPARISON)
    table = rows[["m", "low_pp", "high_pp"]].set_axis(["Departure", "Low", "High"], axis=1)
    return student_exhibit(study, figure, finding, what, study.sizes, table)
