"""Kernels that start warm: forked from a process in which the libraries are imported already.

papermill, nbval and JupyterLab use them through Jupyter's own extension point, the kernel provisioner, by asking for
the kernel `leapstudy-warm`; wherever a precondition is missing the kernel starts cold, by the usual path.
"""

import json
import os
from pathlib import Path

KERNEL = "leapstudy-warm"
SHARE = Path(__file__).parent / "share"
# Jupyter's variable for the provisioner of kernels that name none, such as `python3`.
EVERY_KERNEL = "JUPYTER_DEFAULT_PROVISIONER_NAME"


def shipped_preload() -> list[str]:
    """Return the libraries to import beforehand, as the kernel's own file lists them: the one place to change it."""
    spec = json.loads((SHARE / "kernels" / KERNEL / "kernel.json").read_text(encoding="utf-8"))
    return spec["metadata"]["kernel_provisioner"]["config"]["preload"]


def offer() -> None:
    """Let Jupyter in this process (and in those it starts) find the kernel, by its data path."""
    search_path = os.environ.get("JUPYTER_PATH", "")
    if str(SHARE) not in search_path.split(os.pathsep):
        os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [str(SHARE), search_path]))


def offer_for_lab() -> None:
    """Let JupyterLab, started from this process, start every Python kernel warm: the notebooks name the plain one."""
    offer()
    os.environ.setdefault(EVERY_KERNEL, KERNEL)
