"""A kernel manager that does not wait longer than it must.

Jupyter's own listens 200 ms for silence before it calls a kernel ready; on a kernel that starts in no time that is most
of the start. Messages of the start belong to no cell, and whoever runs cells passes them over by their parent.
"""

import time
from queue import Empty
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager
from traitlets import DottedObjectName, Type

STEP_SECONDS = 0.2


class PromptClient(AsyncKernelClient):
    """Ready as soon as the kernel answers and its outputs are heard: `iopub_welcome`, or any other message."""

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Return when cells can be sent.

        Raises
        ------
        RuntimeError
            If the kernel dies first, or does not answer in `timeout` seconds.
        """
        end = time.monotonic() + (timeout or float("inf"))
        self.kernel_info()
        answered = heard = False
        while not (answered and heard):
            answered = answered or await self._answers()
            heard = heard or await _arrives(self.iopub_channel)
            if not await self.is_alive():
                raise RuntimeError("Kernel died before replying to kernel_info")
            if time.monotonic() > end:
                raise RuntimeError(f"Kernel didn't respond in {timeout:.0f} seconds")
            if answered and not heard:
                # it was not listened to in time: ask again
                self.kernel_info()

    async def _answers(self) -> bool:
        try:
            message = await self.shell_channel.get_msg(timeout=STEP_SECONDS)
        except Empty:
            return False
        if message["msg_type"] != "kernel_info_reply":
            return False
        self._handle_kernel_info_reply(message)
        return True


async def _arrives(channel: Any) -> bool:
    try:
        await channel.get_msg(timeout=STEP_SECONDS)
    except Empty:
        return False
    return True


class PromptManager(AsyncKernelManager):
    """An ordinary kernel manager with the prompt client."""

    client_class = DottedObjectName(f"{__name__}.PromptClient")
    client_factory = Type(PromptClient, klass="jupyter_client.KernelClient")
