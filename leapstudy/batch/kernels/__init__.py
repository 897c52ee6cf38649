"""Kernels that start warm: forked from a process in which the libraries are imported already.

papermill, nbval and JupyterLab use them through Jupyter's own extension point, the kernel provisioner, by asking for
the kernel `leapstudy-warm`; wherever a precondition is missing the kernel starts cold, by the usual path.
"""

import os
from pathlib import Path

KERNEL = "leapstudy-warm"
SHARE = Path(__file__).parent / "share"


def offer() -> None:
    """Let Jupyter in this process (and in those it starts) find the kernel, by its data path."""
    there = os.environ.get("JUPYTER_PATH", "")
    if str(SHARE) not in there.split(os.pathsep):
        os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [str(SHARE), there]))
