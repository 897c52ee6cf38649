"""papermill's engine, watched: what a notebook prints is counted, and any thread can stop it with a reason.

Its kernel manager does not wait longer than it must. Jupyter's own listens 200 ms for silence before it calls a kernel
ready; on a kernel that starts in no time that is most of the start. Messages of the start belong to no cell, and
whoever runs cells passes them over by their parent.

What cells printed is kept as it looked at their end. nbclient's own `coalesce_streams` searches a pattern from every
character of a line to its end: one line of 160 kB takes 45 seconds, and no signal is heard meanwhile.
"""

import asyncio
import os
import threading
import time
from dataclasses import dataclass, field
from itertools import groupby
from queue import Empty
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager, KernelManager
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from traitlets import DottedObjectName, Type

from leapstudy.core import paths
from leapstudy.core.names import FOR_PAGES

STEP_SECONDS = 0.2
# A class looks its traits up at its first object: two threads that make that one at once fail.
_making = threading.Lock()


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


ENGINE = "leapstudy"
# What a kernel of a batch is started with: the user's IPython history is of what the user typed.
NO_HISTORY = ("--HistoryManager.enabled=False",)
MAX_BYTES = 20_000_000
MAX_MESSAGES = 10_000
FLOOD, INTERRUPT = "flood", "interrupt"


@dataclass(slots=True)
class Watch:
    """One notebook while it runs: which cell, how much it has printed, why it was stopped, what there is so far."""

    cell: int = 0
    bytes_printed: int = 0
    messages: int = 0
    stopped: str = ""
    notebook: NotebookNode | None = None
    kernel: KernelManager | None = field(default=None, repr=False)

    def stop(self, why: str) -> None:
        """End the kernel at once; the notebook's run then fails, and `stopped` says why."""
        self.stopped = self.stopped or why
        process = getattr(getattr(self.kernel, "provisioner", None), "process", None)
        if process is not None:
            process.kill()

    def count(self, content: dict[str, Any]) -> None:
        """Count one output, and stop the notebook where it is a flood."""
        if self.stopped:
            return
        parts = [content.get("text", ""), *(content.get("data") or {}).values()]
        self.bytes_printed += sum(len(part) if isinstance(part, str) else len(str(part)) for part in parts)
        self.messages += 1
        if self.bytes_printed > MAX_BYTES or self.messages > MAX_MESSAGES:
            self.stop(FLOOD)


class WatchedClient(PapermillNotebookClient):
    """papermill's client that keeps its `Watch` up to date."""

    def __init__(self, nb_man: Any, *, watch: Watch, **settings: Any) -> None:
        super().__init__(nb_man, kernel_manager_class=PromptManager, on_cell_execute=self._next_cell, **settings)
        self.watch = watch
        self.listening: asyncio.Task[None] | None = None
        watch.notebook = nb_man.nb

    async def _next_cell(self, **_: Any) -> None:
        self.watch.cell = self.code_cells_executed + 1
        self.watch.kernel = self.km
        if self.watch.stopped:
            raise DeadKernelError("stopped before this cell")

    async def _async_poll_output_msg(self, *cell: Any) -> None:
        self.listening = asyncio.current_task()
        await super()._async_poll_output_msg(*cell)

    async def _async_handle_timeout(self, *cell: Any) -> dict[str, Any] | None:
        if self.listening is not None:
            self.listening.cancel()  # nbclient forgets it here, and Python would say so on the user's screen
        return await super()._async_handle_timeout(*cell)

    def process_message(self, msg: dict[str, Any], *rest: Any, **named: Any) -> NotebookNode | None:
        """Take one message of the kernel; what comes after the notebook was stopped is dropped."""
        if msg["msg_type"] in ("stream", "display_data", "execute_result", "update_display_data"):
            self.watch.count(msg["content"])
            if self.watch.stopped:
                return None
        return super().process_message(msg, *rest, **named)


class WatchedEngine(NBClientEngine):
    """papermill's own engine with the watched client."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, watch: Watch, start_timeout: int, execution_timeout: int, **rest: Any
    ) -> Any:
        """Run the cells."""
        extras = ("log_output", "stdout_file", "stderr_file", "input_path")
        settings = {name: value for name, value in rest.items() if name not in extras}
        with _making:
            client = WatchedClient(
                nb_man,
                watch=watch,
                kernel_name=kernel_name,
                timeout=execution_timeout,
                # outputs lag on a loaded machine; after 4 s a cell that is done failed
                iopub_timeout=execution_timeout,
                startup_timeout=start_timeout,
                extra_arguments=list(NO_HISTORY),
                **settings,
            )
            client.create_kernel_manager()
        # the workspace by name: a kernel would look for it from its folder upward for every word that it says
        return client.execute(env={FOR_PAGES: "1", **os.environ, "LEAPSTUDY_ROOT": str(paths.root())})


papermill_engines.register(ENGINE, WatchedEngine)


def settle_streams(notebook: NotebookNode) -> None:
    """Join neighboring outputs of one stream in every cell, with overwritten text gone."""
    for cell in notebook.cells:
        if outputs := cell.get("outputs"):
            cell.outputs = [output for _, group in groupby(outputs, _stream) for output in _join(list(group))]


def _stream(output: NotebookNode) -> str:
    return output.name if output.output_type == "stream" else ""


def _join(outputs: list[NotebookNode]) -> list[NotebookNode]:
    first = outputs[0]
    if not _stream(first):
        return outputs
    first.text = settled("".join(_text(output.text) for output in outputs))
    return [first]


def _text(text: Any) -> str:
    return text if isinstance(text, str) else "".join(text)


def settled(text: str) -> str:
    """Return a text as a terminal shows it: a carriage return starts the line anew, a backspace takes one character."""
    if "\r" not in text and "\b" not in text:
        return text
    return "\n".join(_settled_line(line) for line in text.split("\n"))


def _settled_line(line: str) -> str:
    body = line.rstrip("\r")
    text = body.rpartition("\r")[2]
    if "\b" in text:
        characters: list[str] = []
        for character in text:
            if character != "\b":
                characters.append(character)
            elif characters:
                characters.pop()
        text = "".join(characters)
    return text + line[len(body) :]
