"""A result where one looks: its finding in words and its picture."""

from typing import Any

from IPython.display import display
from matplotlib.figure import Figure

from leapstudy.core.errors import BadInput
from leapstudy.did.frames.results import Result
from leapstudy.figures.plain import answer_chart
from leapstudy.figures.students_effects import event_study
from leapstudy.study.public import Study
from leapstudy.study.students import StudentStudy
from leapstudy.words import findings, findings_students


def show(result: Result | Study[Any] | StudentStudy) -> None:
    """Say a result in words and draw it.

    Parameters
    ----------
    result
        What any function of this package returned.

    Raises
    ------
    BadInput
        For anything else.

    Examples
    --------
    >>> import leapstudy as ls
    >>> ls.show(ls.diff_in_diff(ls.panel()))
    rate_pct in the 15 treated units changed 0.34 percentage points less than in the 19 comparison units
    (95% CI −1.28 to 0.60, p = 0.472). The interval includes zero: it is not statistically
    distinguishable from zero.
    Figure(720x400)
    """
    if isinstance(result, Result):
        findings.say(result.finding)
        figure = Figure(figsize=(7.2, 4), layout="constrained")
        result.plot(figure.subplots())
        display(figure)
    elif isinstance(result, Study):
        findings.say(findings.answer(result))
        display(answer_chart(result))
    elif isinstance(result, StudentStudy):
        findings_students.say(result, findings_students.answer(result))
        display(event_study(result))
    else:
        raise BadInput(
            f"Nothing is known of how to show a {type(result).__name__}: give what a function of leapstudy returned."
        )
