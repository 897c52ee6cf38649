"""What earlier batches left in the output folder: it stays on the site and in the tables beside the new runs."""

import contextlib
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leapstudy.batch.manifest import Manifest, damage, read_manifest
from leapstudy.site.index import EARLIER
from leapstudy.site.stamps import read_stamps

DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class PreviousRun:
    """A run of an earlier batch, as far as its folder tells."""

    slug: str
    title: str
    source: str
    manifest: Manifest
    damage: tuple[str, ...] = ()

    def page(self, out: Path) -> dict[str, Any]:
        """Return the run as `build_site` takes it; it may be stale by now, which `leapstudy status` tells."""
        status = DAMAGED if self.damage else EARLIER if self.sound else self.manifest.state
        return {
            "slug": self.slug,
            "title": self.title,
            "source": self.source,
            "error": {"message": "; ".join(self.damage)} if self.damage else self.manifest.error,
            "status": status,
            "notebook": out / self.slug / "notebook.ipynb" if self.sound else None,
        }

    @property
    def sound(self) -> bool:
        """Whether it ended well and its outputs are as it left them; anything else is named and left out."""
        return self.manifest.state == "done" and not self.damage


def previous_runs(out: Path, slugs: Container[str]) -> list[PreviousRun]:
    """Return the runs of earlier batches that the new one does not ask for and whose folders are still there."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return [
            PreviousRun(run["slug"], run["title"], run["source"], manifest, _damage(out / run["slug"], manifest))
            for run in read_stamps(out)["runs"]
            if run["slug"] not in slugs and (manifest := read_manifest(out / run["slug"])) is not None
        ]
    return []


def _damage(folder: Path, manifest: Manifest) -> tuple[str, ...]:
    return tuple(damage(folder, manifest)) if manifest.state == "done" else ()
