"""Districts by papermill's Python API in a pool of two processes, with cold kernels: ``pool.py SLUG,SLUG OUT``."""

import os
import sys
from multiprocessing import get_context
from pathlib import Path

import papermill


def one(slug: str) -> None:
    """Run one district."""
    notebook = Path(os.environ["LEAPSTUDY_ROOT"]) / "notebooks" / "10_district.ipynb"
    target = Path(sys.argv[2]) / f"pool-{slug}.ipynb"
    papermill.execute_notebook(notebook, target, {"district": slug}, kernel_name="python3", progress_bar=False)


if __name__ == "__main__":
    with get_context("fork").Pool(2) as pool:
        pool.map(one, sys.argv[1].split(","), chunksize=1)
