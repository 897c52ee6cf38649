"""An attack on published tables by every subtraction that is open to a reader."""

import numpy as np
import pandas as pd

from leapstudy.evidence.privacy import collect, is_small, named_cells, recoverable
from leapstudy.students.disclosure import MIN_GROUP


def audit(published, original, dimensions, min_group=MIN_GROUP):
    """Return the small cells of the original tables that the published ones give away (none, if they are sound)."""
    cells = collect(original, dimensions)
    keys = [named_cells(table, dimensions)[table["denominator"].notna()] for table in published.values()]
    open_keys = set(pd.concat(keys).itertuples(index=False, name=None))
    hidden = np.ones(len(cells.listed), dtype=bool)
    hidden[cells.listed] = [key not in open_keys for key in cells.keys.itertuples(index=False, name=None)]
    small = is_small(cells.counts[:, 0], cells.counts[:, 1], min_group)
    hidden[~cells.listed] = small[~cells.listed]
    broken = small & (recoverable(cells, hidden) | ~hidden)
    return cells.keys[broken[cells.listed]].assign(how="given by the published cells")
