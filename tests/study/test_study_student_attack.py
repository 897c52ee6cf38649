"""Linear programming over every published figure of a small SIMULATED state: no student's attendance is determined.

The attacker knows all but one thing: the program, the design, who was visited or picked when, who stands in which
stratum with which weight, and the attendance of everybody who only ever was comparison. Unknown is the attendance of
those picked (visited, drawn for the placebo, or referred), month by month. Effects, placebos, controls, parts, raw
paths and the rebound of all districts and of their sum are then linear equations in it, rounded as they are
published. Standard errors and p-values are not linear and are not used.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog
from scipy.sparse import csr_array

from leapstudy.did.at_risk import HEADLINE
from leapstudy.did.staggered.effects import averages
from leapstudy.students.disclosure import season, unit_of_mean
from leapstudy.students.engine import connect
from leapstudy.students.handle import engine_table, open_students
from leapstudy.students.moments.record import NEVER
from leapstudy.students.risk_changes import _of_comparison, _of_visited
from leapstudy.students.settings import load_settings
from leapstudy.students.simulate import load_config, write_simulation
from leapstudy.study import student_designs, student_estimates
from leapstudy.study.student_designs import NEVER_VISITED
from leapstudy.study.student_estimates import measure, student_answer
from leapstudy.study.student_publish import DIGITS, published

pytestmark = pytest.mark.slow
SIZES = {"0640011": 260, "0770011": 190, "0800011": 170, "1630011": 50}
UNIT = 10**-DIGITS
CELL = ["g", "t", "treated", "district_code", "band", "waiting", "part"]


def number(month):
    return 12 * month.year + month.month - 1


class Program:
    """Who was picked when, where, and how the students came, in one program's panel."""

    def __init__(self, data):
        rows = engine_table(data).to_pandas().sort_values("month")
        rows["t"], rows["y"] = rows["month"].map(number), 100 * rows["days_attended"] / rows["days_enrolled"]
        each = rows.groupby("student")
        self.outcome = rows.pivot(index="student", columns="t", values="y")
        self.place = each["district_code"].first()
        self.numbered = self.place.reset_index().sort_values(["district_code", "student"])["student"].to_numpy()
        self.cohort = each["first_visit_month"].max().map(lambda month: NEVER if pd.isna(month) else number(month))


@dataclass
class Attack:
    """Equations in the attendance of every student and month: weights by student and month, and the value."""

    main: Program
    placebo: Program
    control: Program
    told: list = field(default_factory=list)
    of_placebo: list = field(default_factory=list)
    withheld: list = field(default_factory=list)
    figures: int = 0

    def rounded(self, weights, unit=UNIT):
        """Return an equation: the weights, the value as it is published, and to what it is rounded."""
        outcome = self.main.outcome
        row = weights.reindex(index=outcome.index, columns=outcome.columns).fillna(0.0).to_numpy()
        return row.ravel(), unit * round(float(np.nansum(row * outcome.to_numpy())) / unit), unit

    def tell(self, weights, value, unit=UNIT):
        """Add a published figure; the equation must be that figure."""
        row, own, unit = self.rounded(weights, unit)
        assert abs(own - published(value)) < 0.5 * UNIT + unit
        (self.told if weights.columns[-1] >= self.first else self.of_placebo).append((row, own, unit))

    @property
    def first(self):
        """The month of the first visit; figures of the placebo program end before it."""
        return self.main.cohort.min()

    def picked(self):
        """Return who was visited, drawn or referred."""
        programs = self.main, self.placebo, self.control
        return sum((one.cohort < NEVER).reindex(self.main.cohort.index, fill_value=False) for one in programs) > 0

    def width(self, row, equations, who):
        """Return between what the equations leave a combination of the visited students' attendance, in points."""
        seen = self.main.outcome.notna().to_numpy().ravel()
        unknown = self.unknown(who)
        y = np.nan_to_num(self.main.outcome.to_numpy().ravel())
        weights, values, units = map(np.array, zip(*equations, strict=True))
        known = weights[:, seen & ~unknown] @ y[seen & ~unknown]
        rest, half = values - known, units / 2 + 1e-7
        own = weights[:, unknown]
        bounds = csr_array(np.vstack([own, -own])), np.concatenate([rest + half, half - rest])
        # an interior point takes two thirds of the time of the simplex
        ends = [linprog(sign * row, *bounds, bounds=(0, 100), method="highs-ipm").fun for sign in (1, -1)]
        return -ends[1] - ends[0]

    def unknown(self, who):
        """Return which pairs of student and month are unknown, as booleans over all pairs."""
        return np.repeat(who.to_numpy(), self.main.outcome.shape[1]) & self.main.outcome.notna().to_numpy().ravel()

    def most_exposed(self, equations, hidden):
        """Return, for each student who is hidden, how much of a combination of the own months the equations span,
        and which.

        A share of one: without rounding the combination would be determined.
        """
        unknown = self.unknown(hidden)
        who = np.repeat(np.arange(len(self.main.outcome)), self.main.outcome.shape[1])[unknown]
        _, size, rows = np.linalg.svd(np.array([one[0] for one in equations])[:, unknown], full_matrices=False)
        rows = rows[size > size[0] * 1e-9]
        for student in np.unique(who):
            _, share, months = np.linalg.svd(rows[:, who == student], full_matrices=False)
            row = np.zeros(unknown.sum())
            row[who == student] = months[0]
            yield float(share[0] ** 2), row


def weights_of_design(att, moments, program):
    """Yield key and weights of each average of a design that comes out of cells, the headline last with key None."""
    made = averages(att, "event", events=HEADLINE)
    seen = program.outcome.reindex(columns=moments.periods).notna().to_numpy()
    cells = zip(moments.district, moments.cohort, map(tuple, moments.seen), strict=True)
    cell_of = {cell: place for place, cell in enumerate(cells)}
    students = zip(program.place, program.cohort, map(tuple, seen), strict=True)
    loading = np.pad(att.loading, ((0, 0), (0, 1)))[:, [cell_of.get(student, -1) for student in students]]
    contrast = np.array([cell.contrast for cell in att.cells])
    for key, combination in zip([*made.key, None], made.combination, strict=True):
        values = np.einsum("k,kn,kt->nt", combination, loading, contrast)
        yield key, pd.DataFrame(values, index=program.outcome.index, columns=moments.periods)


def weights_at_risk(changes, coefficients, group):
    """Yield key and weights of each average of the recommended design in one group, the headline with key None."""
    used = changes.merge(coefficients[coefficients["grp"] == group], on=CELL)
    used["w"], used["key"] = used["weight"] * used["slope"], used["t"] - used["g"]
    inside = used[used["key"].between(*HEADLINE)]
    for key, rows in [*used.groupby("key"), (None, inside.assign(w=inside["w"] / inside["key"].nunique()))]:
        after, base = (rows.pivot_table("w", "student", month, aggfunc="sum") for month in ("t", "base"))
        yield key, after.sub(base, fill_value=0.0)


def tell_effects(attack, weights, path, headline):
    """Add the months of a path and the headline, each by its own weights."""
    for row in path.itertuples():
        attack.tell(weights[float(row.event_time)], row.estimate_pp)
    attack.tell(weights[None], headline.estimate_pp)
    attack.figures += len(path) + 1


def tell_designs(attack, answer, designs):
    """Add what the designs out of cells say, visited and placebo;
    they come in the order in which they were averaged.
    """
    shown = [item for item in answer.designs if item.name != "at_risk"]
    queue = iter(designs)
    for program, of in ((attack.main, "main"), (attack.placebo, "placebo")):
        for item in (item for item in shown if getattr(item, of) is not None):
            moments, att = next(queue)
            weights = dict(weights_of_design(att, moments, program))
            path = item.path if of == "main" else item.placebo_path
            tell_effects(attack, weights, path, getattr(item, of))
            if item.name == "early":
                attack.withheld += [attack.rounded(row) for key, row in weights.items() if key is not None]
    assert next(queue, None) is None


def tell_at_risk(attack, answer, code, risk):
    """Add what the recommended design says: visited, placebo and control, and by part."""
    design = answer.design()
    nothing = design.path[:0]
    for kind, path, headline in (
        ("visited", design.path, design.main),
        ("placebo", design.placebo_path, design.placebo),
        ("control", nothing, answer.control),
    ):
        if headline is not None:
            tell_effects(attack, dict(weights_at_risk(*risk[kind, ""], f"{code}/")), path, headline)
    for one in answer.parts.dropna(subset=["estimate_pp"]).itertuples():
        split = "grade_band" if one.dimension == "grades" else "visits"
        weights = dict(weights_at_risk(*risk["visited", split], f"{code}/{one.group}"))
        tell_effects(attack, weights, nothing, one)


def mean_of(outcome, chosen):
    """Return weights of the mean over a frame's chosen pairs."""
    return (chosen & outcome.notna()).astype(float) / (chosen & outcome.notna()).to_numpy().sum()


def tell_raw(attack, answer, places, placebo_places):
    """Add the raw paths of the seasons, and the mean of those picked and of the others around the placebo's month."""
    main, placebo = attack.main, attack.placebo
    group = main.cohort.map(lambda g: NEVER_VISITED if g == NEVER else season(int(g)))
    for row in answer.raw_paths.itertuples():
        chosen = pd.DataFrame(False, main.outcome.index, main.outcome.columns)
        chosen[number(pd.Timestamp(f"{row.month}-01"))] = (group == row.group) & main.place.isin(places)
        students = (chosen & main.outcome.notna()).to_numpy().sum()
        attack.tell(mean_of(main.outcome, chosen), row.rate_pct, float(unit_of_mean(students)))
    own, months = placebo.place.isin(placebo_places), placebo.outcome.columns
    for row in answer.rebound.itertuples():
        event = months.to_numpy()[None, :] == (placebo.cohort.to_numpy() + row.event_time)[:, None]
        picked = pd.DataFrame(event & own.to_numpy()[:, None], placebo.outcome.index, months) & placebo.outcome.notna()
        others = (
            pd.DataFrame(
                np.tile((own & (placebo.cohort == NEVER)).to_numpy()[:, None], len(months)),
                placebo.outcome.index,
                months,
            )
            & placebo.outcome.notna()
        )
        share = picked.sum() / picked.to_numpy().sum()
        students, fewest = picked.to_numpy().sum(), others.sum()[share > 0].min()
        attack.tell(mean_of(placebo.outcome, picked), row.picked_pct, float(unit_of_mean(students)))
        attack.tell(others / others.sum() * share, row.others_pct, float(unit_of_mean(fewest)))
    attack.figures += len(answer.raw_paths) + 2 * len(answer.rebound)


def recording(patch, module, name, into):
    """Let a function of a module note what it was given, and what it returned, once it has returned."""
    made = getattr(module, name)

    def noted(*given, **options):
        result = made(*given, **options)
        into.append((given, result))
        return result

    patch.setattr(module, name, noted)


@pytest.fixture(scope="module")
def attack(tmp_path_factory):
    config = load_config().with_changes(districts=SIZES, seed=20261128, visits__completed=0.7)
    files = write_simulation(tmp_path_factory.mktemp("state") / "state.parquet", config)
    data = open_students(files.panel, visits=files.visits, con=connect(threads=1))
    settings, sets, products, averaged = load_settings(), [], [], []
    with pytest.MonkeyPatch.context() as patch:
        for name in ("checks", "outcome_effects", "control_effect", "headline_bounds"):
            patch.setattr(student_estimates, name, lambda *_: None)  # none of their figures is an equation here
        recording(patch, student_estimates, "risk_changes", sets)
        recording(patch, student_estimates, "influence_products", products)
        for name in ("cs_effects", "before_after_effects"):
            recording(patch, student_designs, name, averaged)
        measured = measure(data, settings)
        programs = {id(changes): Program(given[0]) for given, changes in sets}
        found = Attack(Program(data), *(programs[id(sets[place][1])] for place in (0, -1)))
        kinds = {id(changes): kind for kind, (_, changes) in zip(("placebo", "visited", "control"), sets, strict=True)}
        risk = {
            (kinds[id(changes)], split): (rows_of(changes, split, programs[id(changes)]), terms[split])
            for (changes, terms, *_), _ in products
            for split in terms
        }
        for code in measured.codes:
            averaged.clear()
            answer = student_answer(measured, code, code, settings)
            tell_designs(found, answer, [given[:2] for given, _ in averaged])
            tell_at_risk(found, answer, code, risk)
            places = [
                np.unique(student_estimates._of_place(side.moments, code).district)
                for side in (measured.visited, measured.placebo)
            ]
            tell_raw(found, answer, *places)
    return found


def rows_of(changes, split, program):
    """Return the engine's rows of the risk sets, both sides, with the part of the visited students."""
    sides = [_of_visited(changes, split).to_pandas().assign(treated=True)]
    sides += [_of_comparison(changes).to_pandas().assign(treated=False, part="")]
    rows = pd.concat(sides, ignore_index=True)
    return rows.assign(student=program.numbered[rows["who"]])


def test_every_published_effect_rate_and_path_is_one_of_the_attackers_equations(attack):
    assert len(attack.told) + len(attack.of_placebo) == attack.figures > 300


def widths(attack, equations, hidden, most):
    """Return what is left of the combinations of months that are most exposed, in points: a day of a month is five."""
    exposed = sorted(attack.most_exposed(equations, hidden), key=lambda one: -one[0])
    assert [share for share, _ in exposed[most:] if share > 0.97] == [], "the others are not even nearly spanned"
    return [attack.width(months, equations, hidden) for _, months in exposed[:most]]


def test_no_visited_students_attendance_is_determined_by_all_figures_of_the_program_together(attack):
    """Also where the attendance of everybody who was not visited is known."""
    assert min(widths(attack, attack.told, attack.main.cohort < NEVER, 3)) > 15


def single_months(attack, equations, hidden):
    """Return what is left of each month of one student that the equations span by itself, in points."""
    unknown = attack.unknown(hidden)
    _, size, rows = np.linalg.svd(np.array([row for row, *_ in equations])[:, unknown], full_matrices=False)
    spanned = (rows[size > size[0] * 1e-9] ** 2).sum(axis=0) > 0.99
    return [attack.width(one, equations, hidden) for one in np.eye(unknown.sum())[spanned]]


def test_no_single_month_is_determined_by_the_placebo_and_all_other_figures_together(attack):
    """Levels around the placebo's month, to a hundredth of a point, gave four months of visited students away."""
    widths_of_months = single_months(attack, attack.told + attack.of_placebo, attack.main.cohort < NEVER)
    assert len(widths_of_months) > 3 and min(widths_of_months) > 15, "a day of a month is five"


def test_months_of_a_second_base_would_determine_a_student(attack):
    """Within two days. The early base by month is withheld:
    beside the last month as base it isolates a cohort of one student.
    """
    both, visited = attack.told + attack.withheld, attack.main.cohort < NEVER
    exposed = [months for share, months in attack.most_exposed(both, visited) if share > 1 - 1e-6]
    assert any(attack.width(months, both, visited) < 10 for months in exposed)
