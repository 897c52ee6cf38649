"""What the engine itself costs a notebook, by the number of runs, as figures and a picture.

The notebook has two short cells, so that what grows is the engine. Usage: ``growth.py OUT 15,50,200 PICTURE``.
"""

import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from rich.console import Console

from leapstudy.batch.batch import run_batch
from leapstudy.batch.job import Run


def notebook(path: Path) -> Path:
    """Write a notebook of two short cells."""
    cells = [new_markdown_cell("# What does a run cost?"), new_code_cell('result_path = ""'), new_code_cell("print(1)")]
    cells[1].metadata["tags"] = ["parameters"]
    path.parent.mkdir(parents=True, exist_ok=True)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def draw(found: dict[int, float], path: Path) -> None:
    """Draw the cost a notebook by the number of runs."""
    figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
    axes.plot(list(found), list(found.values()), marker="o", color="#0072B2")
    axes.set(xlabel="Runs in the batch", ylabel="Seconds a run", ylim=(0, 1.3 * max(found.values())))
    axes.set_title("The engine's own cost a run, two at a time", loc="left")
    for size, seconds in found.items():
        axes.annotate(f"{seconds:.2f}", (size, seconds), textcoords="offset points", xytext=(0, 8), ha="center")
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    out = Path(sys.argv[1])
    source = notebook(out / "60_cost.ipynb")
    warm = [Run("60-warm", source, {"result_path": ""}, "Warm?")]
    run_batch(warm, out / "warm", 2, console=Console(quiet=True))
    costs = {}
    for size in map(int, sys.argv[2].split(",")):
        plan = [Run(f"60-{number:03d}", source, {"result_path": ""}, f"{number}?") for number in range(size)]
        start = time.perf_counter()
        assert not run_batch(plan, out / str(size), 2, console=Console(quiet=True)).failed
        costs[size] = (time.perf_counter() - start) / size
        print(size, f"{costs[size]:.3f}")
    draw(costs, Path(sys.argv[3]))
