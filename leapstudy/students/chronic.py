"""Chronic absence as a parameter object, in whole numbers: `1 - attended/enrolled >= 0.1` misses exactly 10%."""

from dataclasses import dataclass

import ibis
import numpy as np
from ibis.expr.types import BooleanValue, IntegerValue, NumericValue, StringValue, Table

from leapstudy.students.contract import GRADES

K_12 = GRADES[1:]


@dataclass(frozen=True, slots=True)
class ChronicRule:
    """A student is chronically absent who missed at least `percent` % of at least `min_days` enrolled days."""

    min_days: int = 0
    percent: int = 10
    grades: tuple[str, ...] = K_12

    def of_days(self, enrolled: np.ndarray, attended: np.ndarray) -> np.ndarray:
        """Return who is chronically absent, as booleans; days in any shape, exact to a hundredth of a day."""
        member, present = (np.rint(100 * np.asarray(days)).astype("int64") for days in (enrolled, attended))
        enough = (member >= 100 * self.min_days) & (member > 0)
        return enough & (100 * (member - present) >= self.percent * member)

    def expression(self, enrolled: NumericValue, attended: NumericValue, grade: StringValue) -> BooleanValue:
        """Return the same as an engine expression, for students in the rule's grades."""
        member, present = hundredths(enrolled), hundredths(attended)
        missed = 100 * (member - present) >= self.percent * member
        return self.counts(enrolled, grade) & missed

    def counts(self, enrolled: NumericValue, grade: StringValue) -> BooleanValue:
        """Return whether the student belongs to the rate's denominator."""
        member = hundredths(enrolled)
        return (member >= 100 * self.min_days) & (member > 0) & grade.isin(self.grades)


def hundredths(days: NumericValue) -> IntegerValue:
    """Return days in whole hundredths, in which shares and thresholds are exact."""
    return (days.cast("float64") * 100).round().cast("int64")


CONNECTICUT = ChronicRule()
EDFACTS = ChronicRule(min_days=10)
EDU = ChronicRule(min_days=20)
CALIFORNIA = ChronicRule(min_days=31)  # more than 30 days
E_W = ChronicRule(min_days=90)
DEFINITIONS = {"connecticut": CONNECTICUT, "edfacts": EDFACTS, "edu": EDU, "california": CALIFORNIA, "e_w": E_W}


def school_year(panel: Table) -> IntegerValue:
    """Return the calendar year in which a row's school year began (July counts to the new one)."""
    return panel.month.year() - ibis.ifelse(panel.month.month() < 7, 1, 0)


def chronic_by_year(panel: Table, rule: ChronicRule = CONNECTICUT) -> Table:
    """Return an expression with one row per district and school year.

    Columns: district_code, school_year, students (denominator), chronic (numerator). Suppress before showing.
    """
    year = panel.mutate(school_year=school_year(panel)).group_by(["district_code", "school_year", "student"])
    students = year.agg(
        enrolled=panel.days_enrolled.sum(),
        attended=panel.days_attended.sum(),
        grade=panel.grade.argmax(panel.month),
    )
    judged = students.mutate(
        counts=rule.counts(students.enrolled, students.grade),
        is_chronic=rule.expression(students.enrolled, students.attended, students.grade),
    )
    by_district = judged.group_by(["district_code", "school_year"])
    return by_district.agg(students=judged.counts.sum(), chronic=judged.is_chronic.sum())
