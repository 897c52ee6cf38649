"""One treated district, honestly: every test that can be made, side by side, and which of them leads.

`record`       the frozen records: a method's answer, and all of them
`noise`        how much a district's change varies: from its own years before, or from its enrollment
`placebo`      Conley and Taber's and Ferman and Pinto's tests from the comparison districts' residuals
`synthetic`    synthetic difference-in-differences and synthetic control through diff-diff, with their donor weights
`compare`      `infer` puts them side by side, `headline` names the one that holds its size
"""

from leapstudy.did.inference.compare import (
    estimate_rows,
    headline,
    infer,
    leading_test,
    methods_table,
    synthetic_only,
)
from leapstudy.did.inference.record import Inference, Method, MethodName

__all__ = [
    "Inference",
    "Method",
    "MethodName",
    "estimate_rows",
    "headline",
    "infer",
    "leading_test",
    "methods_table",
    "synthetic_only",
]
