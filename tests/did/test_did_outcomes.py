"""Several outcomes at once: the asked one stands apart, the others are corrected by Holm's rule."""

from types import SimpleNamespace

import numpy as np
import pytest

from leapstudy.core.estimate import Estimate
from leapstudy.did.answer import outcome_rows


def _row(outcome, p, **changes):
    same = {"district_code": "ALL", "district": "All", "comparison": "g", "edition": "e", "pre": "a", "post": "b"}
    more = {"track": "public", "n_treated": 3, "n_comparison": 9, "estimator": "did", "role": "sensitivity"}
    return Estimate(
        **{**same, **more, "outcome": outcome, "estimate_pp": 1.0, "p_value": p, "p_method": "t", **changes}
    )


def test_holm_by_hand_and_the_asked_outcome_is_not_among_them():
    main = _row("asked", 0.04, role="main")
    others = [_row("x", 0.01), _row("y", 0.04), _row("z", 0.03), _row("w", 0.001, comparison="another")]
    rows = outcome_rows(SimpleNamespace(main=main, estimates=(main, *others))).set_index("outcome")
    # sorted 0.01, 0.03, 0.04 times 3, 2, 1, and never less than the one before
    assert rows["p_holm"].to_dict() == pytest.approx({"x": 0.03, "y": 0.06, "z": 0.06})


@pytest.mark.parametrize("n", [1, 2, 7])
def test_a_correction_never_makes_a_p_value_smaller_and_is_none_for_one(n):
    rng = np.random.default_rng(n)
    main, p = _row("asked", 0.5, role="main"), rng.uniform(size=n)
    rows = outcome_rows(SimpleNamespace(main=main, estimates=(main, *(_row(f"o{i}", v) for i, v in enumerate(p)))))
    assert (rows["p_holm"] >= rows["p_value"]).all() and rows["p_holm"].le(1).all()
    assert n > 1 or rows["p_holm"].iloc[0] == pytest.approx(p[0])


def test_no_other_outcome_is_an_empty_table_with_the_same_columns():
    main = _row("asked", 0.5, role="main")
    assert list(outcome_rows(SimpleNamespace(main=main, estimates=(main,))).columns)[-1] == "p_holm"
