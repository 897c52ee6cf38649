"""Seconds that the check of a batch with nothing to do takes, best of five: ``check.py OUT SLUG...``."""

import sys
import time
from pathlib import Path

from leapstudy.batch.last_batch import asked, kept_plan, reasons, untouched
from leapstudy.core.sources import package_hash

out, slugs = Path(sys.argv[1]).resolve(), sys.argv[2:]
best = float("inf")
for _ in range(5):
    package_hash.cache_clear()
    start = time.perf_counter()
    plan = kept_plan(out, asked(districts=slugs, track="public", settings=None, out=out))
    assert plan is not None and not any(reasons(plan, out).values()) and untouched(out)
    best = min(best, time.perf_counter() - start)
print(best)
