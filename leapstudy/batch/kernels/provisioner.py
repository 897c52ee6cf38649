"""Jupyter's extension point: where a kernel comes from."""

import os
from subprocess import Popen
from typing import Any, cast

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner
from traitlets import List, Unicode

from leapstudy.batch.kernels.forks import template

LAUNCHER = ["-m", "ipykernel_launcher"]


class WarmProvisioner(LocalProvisioner):
    """Forks kernels from a warm template; starts them cold, as Jupyter always does, wherever that cannot be done."""

    preload = List(Unicode(), help="Libraries that the template imports; never the project's own package.").tag(
        config=True
    )

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start the kernel and return how to connect to it."""
        source = template(self.preload) if cmd[1:3] == LAUNCHER else None
        forked = source and source.fork(cmd[3:], kwargs.get("env") or dict(os.environ), kwargs.get("cwd"))
        if not forked:
            return await super().launch_kernel(cmd, **kwargs)
        # it has the part of Popen that the provisioner uses
        self.process, self.pid, self.pgid = cast(Popen, forked), forked.pid, None
        return self.connection_info
