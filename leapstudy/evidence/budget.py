"""From money to what it can show: dollars, visits, coverage, and the smallest effect on visited students found."""

import math
from dataclasses import dataclass

from leapstudy.core.errors import BadInput


@dataclass(frozen=True, slots=True)
class Reach:
    """What a budget buys.

    Attributes
    ----------
    visited : int
        Students visited.
    offered : int
        Students to whom visits are offered, so that as many are met.
    share : float
        Offered among the eligible, at most 1.
    """

    visited: int
    offered: int
    share: float


def reach(dollars: float, per_visited_student: float, met: float, eligible: int) -> Reach:
    """Return how many eligible students a budget reaches.

    Parameters
    ----------
    dollars, per_visited_student
        The budget, and what a visited student costs.
    met
        Share of offered students whose family is met, above 0.
    eligible
        Students who may be offered visits.

    Raises
    ------
    BadInput
        For a price or a share that is not above 0, or nobody eligible.

    Examples
    --------
    >>> reach(120_000, 1_200, 0.8, 1_000)
    Reach(visited=100, offered=125, share=0.125)
    """
    if not per_visited_student > 0 or not 0 < met <= 1 or eligible < 1 or dollars < 0:
        raise BadInput(
            f"Need dollars of 0 or more, a price above 0, a share met of 0 to 1 and somebody eligible; got "
            f"{dollars!r}, {per_visited_student!r}, {met!r}, {eligible!r}."
        )
    visited = min(int(dollars / per_visited_student), int(eligible * met))
    offered = min(math.ceil(visited / met), eligible)
    return Reach(visited, offered, offered / eligible)


def on_visited(detectable: float, coverage: float) -> float:
    """Return the smallest effect on visited students that an effect on all stands for; infinite where none does.

    Parameters
    ----------
    detectable
        Smallest detectable effect of the offer, on the average of all who were offered.
    coverage
        Share of them who are visited. Assumes that visits move nobody else.
    """
    return detectable / coverage if coverage > 0 else math.inf


def detectable_at(detectable: float, share: float, other: float) -> float:
    """Return the smallest detectable effect where another share of the same list is offered.

    The noise of a difference of two means goes with ``sqrt(1 / p(1 - p))``.

    Examples
    --------
    >>> detectable_at(1.0, 0.5, 0.1) > detectable_at(1.0, 0.5, 0.25) > 1
    True
    """
    if not 0 < share < 1 or not 0 < other < 1:
        raise BadInput(f"Shares offered lie between 0 and 1; got {share!r} and {other!r}.")
    return detectable * math.sqrt(share * (1 - share) / (other * (1 - other)))
