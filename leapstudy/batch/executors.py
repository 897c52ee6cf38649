"""Where the runs of a batch happen: here or on a cluster, with every finished run sent on at once."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from leapstudy.batch.engine import INTERRUPT, Watch
from leapstudy.batch.execute import execute
from leapstudy.batch.job import Run, Signature
from leapstudy.batch.manifest import Manifest
from leapstudy.batch.remote import Place

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


class Pool(Protocol):
    """Where runs happen: this machine, or a cluster."""

    def results(self, started: Started) -> Generator[tuple[Run, Manifest]]:
        """Yield each run with its manifest as it ends."""


@dataclass(slots=True)
class LocalPool:
    """Threads that each hold one kernel; a kernel that dies takes nobody with it."""

    work: Work
    watches: dict[str, Watch] = field(default_factory=dict)

    def results(self, started: Started) -> Generator[tuple[Run, Manifest]]:
        """Yield each run with its manifest as it ends; on any exception what still runs is stopped and marked."""
        self.watches = {run.slug: Watch() for run in self.work.runs}
        pool = ThreadPoolExecutor(self.work.jobs)
        try:
            # asked for in here: an interrupt may come when the first has begun and others are still to be asked for
            futures = {pool.submit(self._one, run, started): run for run in self.work.runs}
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
            run,
            work.out,
            work.keys[run.slug],
            timeout=work.timeout,
            watch=self.watches[run.slug],
            seen=work.seen[run.slug],
        )


def _as_they_end(futures: Iterable[Future[Manifest]]) -> Iterator[Future[Manifest]]:
    """Yield futures as they end; the waiting is cut short often, because Ctrl-C is only heard in between."""
    waiting = set(futures)
    while waiting:
        results, waiting = wait(waiting, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
        yield from results


@dataclass(frozen=True, slots=True)
class SendingPool:
    """A pool whose results go to a URL as each run ends, so that a batch cut off later has lost none of them."""

    inner: Pool
    place: Place

    def results(self, started: Started) -> Generator[tuple[Run, Manifest]]:
        """Yield each run with its manifest once it is sent."""
        with closing(self.inner.results(started)) as results:
            for run, manifest in results:
                self.place.push(run.slug)
                yield run, manifest


def choose_pool(dask: str, place: Place) -> Callable[[Work], Pool]:
    """Return what makes the pool: local, or on the Dask cluster at address `dask`.

    Raises
    ------
    BadInput
        If a cluster is asked for and Dask is not installed.
    """
    make: Callable[[Work], Pool] = LocalPool
    if dask:
        from leapstudy.batch.cluster import ClusterPool, need_dask

        need_dask()
        make = partial(ClusterPool, address=dask)
    return (lambda work: SendingPool(make(work), place)) if place.url else make
