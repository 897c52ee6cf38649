"""Jupyter's extension point: where a kernel comes from."""

import asyncio
import os
from subprocess import Popen
from typing import Any, cast

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner
from traitlets import List, Unicode, default

from leapstudy.batch.kernels import shipped_preload
from leapstudy.batch.kernels.forks import template

LAUNCHER = ["-m", "ipykernel_launcher"]
POLL_SECONDS = 0.005


class WarmProvisioner(LocalProvisioner):
    """Forks kernels from a warm template; starts them cold, as Jupyter always does, wherever that cannot be done."""

    preload = List(Unicode(), help="Libraries that the template imports; never the project's own package.").tag(
        config=True
    )

    @default("preload")
    def _shipped(self) -> list[str]:
        return shipped_preload()

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start the kernel and return how to connect to it."""
        # in a thread: the first request waits for the template's imports, and JupyterLab has other things to do
        forked = await asyncio.to_thread(self._fork, cmd, kwargs)
        if not forked:
            return await super().launch_kernel(cmd, **kwargs)
        # it has the part of Popen that the provisioner uses
        self.process, self.pid, self.pgid = cast(Popen, forked), forked.pid, None
        return self.connection_info

    def _fork(self, cmd: list[str], kwargs: dict[str, Any]) -> Any:
        source = template(self.preload) if cmd[1:3] == LAUNCHER else None
        return source and source.fork(cmd[3:], kwargs.get("env") or dict(os.environ), kwargs.get("cwd"))

    async def wait(self) -> int | None:
        """Return the exit code when the kernel has ended; asked often, since a batch waits for every one."""
        while self.process and self.process.poll() is None:
            await asyncio.sleep(POLL_SECONDS)
        return await super().wait()
