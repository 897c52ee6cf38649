"""The rule by which a district picked students, found in its own log: who was referred, among those at risk of it.

A student is at risk in a school month if seen in the last one before it and not referred until then. The rule is the
look-back window and the cut that best tell the referred from the others at risk (Youden 1950, "Index for rating
diagnostic tests").
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from leapstudy.core.names import ALL_DISTRICTS as ALL
from leapstudy.core.names import options
from leapstudy.students.disclosure import MIN_COUNT

Window = Literal["last_month", "last_two_months", "last_three_months", "year_to_date", "last_year"]
# What a rule may look at, in school months before the month of referral; at the start of a school year "year to date"
# is the whole year before.
WINDOWS = options(Window)

# Percentages of days missed that a rule may start from; a rule that people apply has a round number.
CUTS = (5, 10, 15, 20, 25, 30)

# Youden's index from which a rule counts as found; picking at random gives about zero.
CLEAR_FIT = 0.3

# Share of those who meet the rule that may be referred in a month; beyond it those who are left are no like students.
MOST_REFERRED = 0.25

# What is said where no rule was looked for, since nobody was referred or attendance begins too late.
NO_REFERRAL = "No referral has a school month of attendance before it, so that no rule can be looked for."

WORDS = {
    "last_month": "over the last month",
    "last_two_months": "over the last two months",
    "last_three_months": "over the last three months",
    "year_to_date": "over the school year so far",
    "last_year": "over the last school year",
}


@dataclass(frozen=True, slots=True)
class ReferralRule:
    """What separates the referred from the others at risk, and how well.

    Attributes
    ----------
    district_code : str
        The district, or ``ALL``.
    window : str
        One of `WINDOWS`.
    percent : int
        Referred are those who missed at least this percentage of days in the window; 0 where no rule was found.
    caught : float
        Share of the referred who meet the rule.
    flagged : float
        Share of the others at risk (student-months) who meet it.
    monthly : float
        Share of those at risk who meet the rule that are referred in a month.
    referred : int
        Referred students with a look-back.
    nearly_all : bool
        Whether all but a few of the referred meet the rule, so that `caught` is only what their share is above.
    """

    district_code: str
    window: str
    percent: int
    caught: float
    flagged: float
    monthly: float
    referred: int
    nearly_all: bool = False

    @property
    def fit(self) -> float:
        """Youden's index: 1 if the rule tells the referred from the others, 0 if it knows nothing."""
        return self.caught - self.flagged

    @property
    def found(self) -> bool:
        """Whether referral depends on absence before it as far as the log shows."""
        return self.percent > 0

    @property
    def leaves_overlap(self) -> bool:
        """Whether most who meet the rule stay unvisited for now, so that visited students have somebody like them."""
        return self.monthly <= MOST_REFERRED

    def words(self) -> str:
        """Return the rule as a person would state it."""
        return f"{self.percent}% or more of days missed {WORDS[self.window]}" if self.found else "no rule on absence"


def as_shown(rule: ReferralRule) -> ReferralRule:
    """Return the rule as pages show it: how many of the referred do not meet it is hidden where they are a few.

    Examples
    --------
    >>> as_shown(ReferralRule("A", "last_month", 10, caught=0.99, flagged=0.2, monthly=0.1, referred=200)).caught
    0.97
    """
    missed = round((1 - rule.caught) * rule.referred)
    if not rule.found or missed == 0:
        return rule
    if missed < MIN_COUNT:
        return replace(rule, caught=1 - MIN_COUNT / rule.referred, nearly_all=True)
    return replace(rule, caught=min(rule.caught, 0.99))  # which is not everyone once it is rounded


def find_rules(shares: pd.DataFrame) -> tuple[ReferralRule, ...]:
    """Return the rule of each district with a referral, in order of code, then of all together (`ALL`).

    Parameters
    ----------
    shares
        From `leapstudy.students.lookback.at_risk_shares`.
    """
    by_code = [(str(code), rows) for code, rows in shares.groupby("district_code") if rows["referred"].sum() > 0]
    return tuple(_best(code, rows) for code, rows in [*by_code, (ALL, shares)])


def _best(code: str, shares: pd.DataFrame) -> ReferralRule:
    windows = {str(window): rows for window, rows in shares.groupby("window")}
    if shares.empty:
        return ReferralRule(code, WINDOWS[0], 0, 0.0, 0.0, 0.0, 0)  # no referral has a school month before it
    rules = [_judge(code, windows[window], window, cut) for window in WINDOWS if window in windows for cut in CUTS]
    best = max(rules, key=lambda rule: (rule.fit, rule.percent))  # of equals the shortest window and highest cut
    return best if best.fit >= CLEAR_FIT else _judge(code, windows[best.window], best.window, 0)


def _judge(code: str, rows: pd.DataFrame, window: str, cut: int) -> ReferralRule:
    meets = rows["percent"].to_numpy() >= cut
    referred, at_risk = rows["referred"].to_numpy(), rows["at_risk"].to_numpy()
    others = at_risk - referred
    share_caught, share_flagged = (_share(counts[meets].sum(), counts.sum()) for counts in (referred, others))
    monthly = _share(referred[meets].sum(), at_risk[meets].sum())
    return ReferralRule(code, window, cut, share_caught, share_flagged, monthly, int(referred.sum()))


def _share(part: np.integer, whole: np.integer) -> float:
    return float(part / whole) if whole else 0.0
