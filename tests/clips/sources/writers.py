"""Small raw sets in every format, as their distributors write them, for tests to read."""

from __future__ import annotations

import zipfile
from pathlib import Path


def packed(folder: Path, path: Path) -> Path:
    """A folder's files as one compressed zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder.parent))
    return path
