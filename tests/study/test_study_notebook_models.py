"""The regressions that notebooks show: their coefficient is the published number, their interval the one by hand."""

import contextlib
import io
import re

import nbformat
import numpy as np
import pytest
from scipy import stats

import leapstudy as ls
from leapstudy.core import paths
from leapstudy.data import load_study


def cells(name):
    """Return the code of a notebook's cells."""
    notebook = nbformat.read(paths.root() / "notebooks" / f"{name}.ipynb", as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("weights", ["equal", "students"])
@pytest.mark.parametrize("name", ["10_district", "30_all_districts"])
@pytest.mark.parametrize("most", [500, 0])
def test_a_row_a_year_and_a_row_a_change_have_the_published_coefficient(name, weights, most):
    source = next(cell for cell in cells(name) if "smf.wls" in cell)
    assert source.count("<= 500") == 1
    own = {"asked": {"weights": weights}, "ls": ls, "district": "east-hartford"}
    with contextlib.redirect_stdout(io.StringIO()) as told:
        exec("import statsmodels.formula.api as smf\n" + source.replace("<= 500", f"<= {most}"), own)
    shown = re.fullmatch(r"Coefficient of treated x post: (-?[\d.]+)\n", told.getvalue())
    panel = ls.panel(*(["east-hartford"] if name == "10_district" else []), weights=weights)
    sides = panel.groupby(["treated", "post"])[["rate_pct", "weight"]].apply(
        lambda rows: np.average(rows["rate_pct"], weights=rows["weight"])
    )
    assert float(shown[1]) == pytest.approx(sides[1, 1] - sides[1, 0] - sides[0, 1] + sides[0, 0], abs=1e-9)


def test_the_own_formula_has_the_interval_of_hc3_by_hand():
    own = {}
    with contextlib.redirect_stdout(io.StringIO()) as told:
        for cell in cells("50_your_own_analysis"):
            if "ls.panel(comparison=wider)" in cell:
                break
            if "sns.lineplot" in cell:
                cell = cell.split("axes =")[0]
            exec(cell, own)
    panel = ls.panel()
    rates = panel.groupby(["district_code", "post"])["rate_pct"].mean().unstack()
    y, treated = rates[1] - rates[0], panel.groupby("district_code")["treated"].first()
    trait = load_study().districts.set_index("district_code")[own["covariate"]].loc[y.index]
    x = np.column_stack([np.ones(len(y)), treated, trait]).astype(float)
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ x.T @ y.to_numpy()
    off = (y - x @ beta).to_numpy() / (1 - np.einsum("ij,jk,ik->i", x, inverse, x))
    se = np.sqrt((inverse @ (x.T * off**2) @ x @ inverse)[1, 1])
    reach = stats.t.ppf(0.975, len(y) - 3) * se
    shown = f"{beta[1]:.2f} percentage points (95% CI {beta[1] - reach:.2f} to {beta[1] + reach:.2f})"
    assert shown in told.getvalue()
    assert own["model"].params["treated"] == pytest.approx(own["study"].estimate, abs=1e-10)
