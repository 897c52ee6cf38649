"""Runs on this machine: some notebooks at a time, each in a kernel of its own."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leapstudy.batch.engine import INTERRUPT, Watch
from leapstudy.batch.execute import execute
from leapstudy.batch.inputs import Signature
from leapstudy.batch.manifest import Manifest
from leapstudy.batch.runs import Run

Started = Callable[[Run], None]
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Work:
    """What a batch has to do: the stale runs with their keys, the signatures of their inputs, and the limits."""

    runs: Sequence[Run]
    out: Path
    keys: Mapping[str, dict[str, Any]]
    seen: Mapping[str, Signature]
    jobs: int
    timeout: int


@dataclass(slots=True)
class LocalPool:
    """Threads that each hold one kernel; a kernel that dies takes nobody with it."""

    work: Work
    watches: dict[str, Watch] = field(default_factory=dict)

    def results(self, started: Started) -> Generator[tuple[Run, Manifest]]:
        """Yield each run with its manifest as it ends; on any exception what still runs is stopped and marked."""
        self.watches = {run.slug: Watch() for run in self.work.runs}
        pool = ThreadPoolExecutor(self.work.jobs)
        futures: dict[Future[Manifest], Run] = {pool.submit(self._one, run, started): run for run in self.work.runs}
        try:
            for future in _as_they_end(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for watch in self.watches.values():
                watch.stop(INTERRUPT)
            raise
        finally:
            pool.shutdown()

    def _one(self, run: Run, started: Started) -> Manifest:
        started(run)
        work = self.work
        return execute(
            run, work.out, work.keys[run.slug], timeout=work.timeout, watch=self.watches[run.slug],
            seen=work.seen[run.slug],
        )  # fmt: skip


def _as_they_end(futures: Iterable[Future[Manifest]]) -> Iterator[Future[Manifest]]:
    """Yield futures as they end; the waiting is cut short often, because Ctrl-C is only heard in between."""
    waiting = set(futures)
    while waiting:
        ended, waiting = wait(waiting, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
        yield from ended
