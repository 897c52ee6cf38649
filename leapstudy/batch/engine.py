"""papermill's engine, watched: what a notebook prints is counted, and any thread can stop it with a reason."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from jupyter_client.manager import KernelManager
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines

from leapstudy.batch.kernels.manager import PromptManager

ENGINE = "leapstudy"
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
        unused = ("log_output", "stdout_file", "stderr_file", "input_path")
        settings = {name: value for name, value in rest.items() if name not in unused}
        client = WatchedClient(
            nb_man,
            watch=watch,
            kernel_name=kernel_name,
            timeout=execution_timeout,
            startup_timeout=start_timeout,
            **settings,
        )
        return client.execute()


papermill_engines.register(ENGINE, WatchedEngine)
