"""Files that appear under their final name when they are whole and not before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kineme.errors import KinemeError


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Gives a name beside `path` to write to, with its suffix, and moves that file into place at the end.

    Leaving the block by an exception removes what was written and leaves an earlier file as it was.

    Raises:
        KinemeError: the file cannot be written (no permission, a full disk).
    """
    aside = path.with_name(f".{path.stem}.partial-{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        aside.replace(path)
    except OSError as error:
        raise KinemeError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        with suppress(OSError):  # no folder, no file
            aside.unlink()
