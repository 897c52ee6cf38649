"""Jupyter's extension point: where a kernel comes from."""

import asyncio
import os
import shutil
import sys
from pathlib import Path
from subprocess import Popen
from typing import Any, cast
from uuid import uuid4

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner
from traitlets import List, Unicode, default

from leapstudy.batch.kernels import shipped_preload
from leapstudy.batch.kernels.family import MARK, end_group, end_marked
from leapstudy.batch.kernels.forks import Template, template

LAUNCHER = ["-m", "ipykernel_launcher"]
POLL_SECONDS = 0.005


class WarmProvisioner(LocalProvisioner):
    """Forks kernels from a warm template; starts them cold, as Jupyter always does, wherever that cannot be done."""

    preload = List(Unicode(), help="What the template imports, and after a colon calls.").tag(config=True)
    mark = ""

    @default("preload")
    def _shipped(self) -> list[str]:
        return shipped_preload()

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start the kernel and return how to connect to it."""
        env = dict(kwargs.pop("env", None) or os.environ)
        # in a thread: the first request waits for the template's imports, and JupyterLab has other things to do
        child = await asyncio.to_thread(self._fork, cmd, env, kwargs.get("cwd"))
        if not child:
            self.mark = uuid4().hex
            return await super().launch_kernel(cmd, env={**env, MARK: self.mark}, **kwargs)
        # it has the part of Popen that the provisioner uses
        self.process, self.pid, self.pgid = cast(Popen, child), child.pid, child.pid
        return self.connection_info

    def _fork(self, cmd: list[str], env: dict[str, str], cwd: str | None) -> Any:
        if cmd[1:3] != LAUNCHER or not is_this_python(cmd[0], env):
            return None
        source: Template | None = template(self.preload)
        if source is None:
            return None
        self.mark = f"{source.mark}-{uuid4().hex}"
        return source.fork(cmd[3:], {**env, MARK: self.mark}, cwd)

    async def wait(self) -> int | None:
        """Return the exit code when the kernel has ended; asked often, since a batch waits for every one."""
        while self.process and self.process.poll() is None:
            await asyncio.sleep(POLL_SECONDS)
        return await super().wait()

    async def cleanup(self, restart: bool = False) -> None:
        """Take away what the kernel left, the processes that it started included."""
        if self.pgid and os.name == "posix":
            end_group(self.pgid)
        if self.mark:
            end_marked(self.mark)
        await super().cleanup(restart=restart)


def is_this_python(command: str, env: dict[str, str]) -> bool:
    """Say whether a kernelspec's command is this process's interpreter; another one has other libraries.

    By its place, not by the file behind it: interpreters of two environments are links to one file.
    """
    place = shutil.which(command, path=env.get("PATH"))
    if place is None:
        return False
    interpreter, own = Path(place).absolute(), Path(sys.executable).absolute()
    return interpreter == own or (interpreter.parent == own.parent and interpreter.resolve() == own.resolve())
