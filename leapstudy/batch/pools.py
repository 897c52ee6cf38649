"""Where the runs of a batch happen: here or on a cluster, with every finished run sent on at once."""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass

from leapstudy.batch.local import LocalPool, Started, Work
from leapstudy.batch.manifest import Manifest
from leapstudy.batch.remote import Place
from leapstudy.batch.run import Pool
from leapstudy.batch.runs import Run


@dataclass(frozen=True, slots=True)
class SendingPool:
    """A pool whose results go to a URL as each run ends, so that a batch cut off later has lost none of them."""

    inner: Pool
    place: Place

    def results(self, started: Started) -> Generator[tuple[Run, Manifest]]:
        """Yield each run with its manifest once it is sent."""
        with closing(self.inner.results(started)) as ended:
            for run, manifest in ended:
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

        def make(work: Work) -> Pool:
            return ClusterPool(work, dask)

    return (lambda work: SendingPool(make(work), place)) if place.url else make
