"""All treated districts together: which effects survive a look at fifteen, and what each borrows from the others.

`prior`         what was believed about the mean effect beforehand: nothing, or what comparable programs found
`shrinkage`     the normal-normal model: between-district spread, posterior of each district's effect
`pool`          `pool_districts` makes the whole answer from one sample; its p-values count how many were looked at
"""

from leapstudy.did.pooling.pool import (
    PooledDistricts,
    caterpillar_table,
    estimate_rows,
    p_values_table,
    pool_districts,
)
from leapstudy.did.pooling.prior import FLAT, Prior, published_prior
from leapstudy.did.pooling.shrinkage import Shrinkage, shrink

__all__ = [
    "FLAT",
    "PooledDistricts",
    "Prior",
    "Shrinkage",
    "caterpillar_table",
    "estimate_rows",
    "p_values_table",
    "pool_districts",
    "published_prior",
    "shrink",
]
