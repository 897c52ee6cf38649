"""What a run needs, as one small archive: it travels to a machine that has the package but not the workspace."""

import io
import json
import os
import shutil
import tempfile
import zipfile
from pathlib import Path

from leapstudy.core import paths
from leapstudy.core.files import sha256_bytes


def pack(notebook: Path) -> bytes:
    """Return notebook (without outputs), parameters, published figures and lock file as one archive."""
    root = paths.root()
    files = [*paths.params().rglob("*.yml"), *(path for path in paths.raw().rglob("*") if path.is_file())]
    files += [path for path in [root / "requirements.lock"] if path.is_file()]
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"notebooks/{notebook.name}", _stripped(notebook))
        for path in sorted(files):
            archive.writestr(path.relative_to(root).as_posix(), path.read_bytes())
    return whole.getvalue()


def _stripped(notebook: Path) -> str:
    content = json.loads(notebook.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return json.dumps(content)


def unpack(parcel: bytes) -> Path:
    """Return the folder of an unpacked parcel; a folder that another task made of the same parcel serves, too."""
    owner = os.getuid() if hasattr(os, "getuid") else os.getpid()
    home = Path(tempfile.gettempdir()) / f"leapstudy-workspaces-{owner}"
    home.mkdir(mode=0o700, exist_ok=True)
    target = home / sha256_bytes(parcel)
    if target.is_dir():
        return target
    made = Path(tempfile.mkdtemp(dir=home))
    with zipfile.ZipFile(io.BytesIO(parcel)) as archive:
        archive.extractall(made)
    try:
        made.rename(target)
    except OSError:
        shutil.rmtree(made)
    return target
