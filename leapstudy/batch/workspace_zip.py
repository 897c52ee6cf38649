"""What a run needs, as one small archive: it travels to a machine that has the package but not the workspace."""

import io
import json
import tempfile
import threading
import zipfile
from pathlib import Path

from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.core.files import sha256_bytes


def pack(notebook: Path) -> bytes:
    """Return notebook (without outputs), parameters, published figures and lock file as one archive."""
    root = paths.root()
    files = {path for folder in (paths.params(), paths.raw()) for path in folder.rglob("*") if path.is_file()}
    files |= {path for path in [root / "requirements.lock"] if path.is_file()}
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        # without times: equal content is an equal parcel
        archive.writestr(zipfile.ZipInfo(f"notebooks/{notebook.name}"), _stripped(notebook), zipfile.ZIP_DEFLATED)
        for path in sorted(files):
            name = zipfile.ZipInfo(path.relative_to(root).as_posix())
            archive.writestr(name, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return whole.getvalue()


def _stripped(notebook: Path) -> str:
    content = json.loads(notebook.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return json.dumps(content)


def unpack(parcel: bytes, digest: str) -> Path:
    """Return the folder of an unpacked parcel, private to this process and gone with it.

    Parameters
    ----------
    parcel
        What `pack` gave.
    digest
        Its SHA-256 as the sender knows it.

    Raises
    ------
    BadInput
        If the parcel is not what was sent.
    """
    if sha256_bytes(parcel) != digest:
        raise BadInput("The files of this run were changed on their way to the worker. Run again.")
    with _making:
        if digest not in _unpacked:
            _unpacked[digest] = tempfile.TemporaryDirectory(prefix="leapstudy-workspace-")
            with zipfile.ZipFile(io.BytesIO(parcel)) as archive:
                archive.extractall(_unpacked[digest].name)
    return Path(_unpacked[digest].name)


_unpacked: dict[str, tempfile.TemporaryDirectory[str]] = {}
_making = threading.Lock()
