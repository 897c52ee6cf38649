"""What earlier batches left in the output folder: it stays on the site and in the tables beside the new runs."""

import contextlib
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leapstudy.batch.manifest import Manifest, read_manifest
from leapstudy.site.index import EARLIER
from leapstudy.site.stamps import read_stamps


@dataclass(frozen=True, slots=True)
class PreviousRun:
    """A run of an earlier batch, as far as its folder tells."""

    slug: str
    title: str
    source: str
    manifest: Manifest

    def page(self, out: Path) -> dict[str, Any]:
        """Return the run as `build_site` takes it; it may be stale by now, which `leapstudy status` tells."""
        done = self.manifest.state == "done"
        return {
            "slug": self.slug, "title": self.title, "source": self.source, "error": self.manifest.error,
            "status": EARLIER if done else self.manifest.state,
            "notebook": out / self.slug / "notebook.ipynb" if done else None,
        }  # fmt: skip


def previous_runs(out: Path, asked: Container[str]) -> list[PreviousRun]:
    """Return the runs of earlier batches that the new one does not ask for and whose folders are still there."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return [
            PreviousRun(run["slug"], run["title"], run["source"], manifest)
            for run in read_stamps(out)["runs"]
            if run["slug"] not in asked and (manifest := read_manifest(out / run["slug"])) is not None
        ]
    return []
