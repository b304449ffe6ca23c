"""Finished blocks of a table, kept on disk until it is complete, so that an interrupted one continues."""

from __future__ import annotations

import logging
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

import numpy as np

from kineme.errors import KinemeError
from kineme.files import atomic_write, locked, remove_own
from kineme.inference.tables import COLUMNS, Block

logger = logging.getLogger(__name__)

PARTS = ("*/*.part",)  # of a folder TABLE.parts, see kineme.files


class Parts:
    """The blocks that an earlier attempt at a table has finished, as files `KEY/NUMBER.part`.

    Each appears when it is whole, and is checked when it is read. The key is made from all that the table
    depends on; parts of another key are removed.
    """

    def __init__(self, folder: Path | None, key: str) -> None:
        """Nothing is read or written yet.

        Args:
            folder: of this table's parts; None keeps nothing.
            key: of the inputs, the model and the settings.
        """
        self.folder, self.key = folder, key

    def kept(self) -> Iterator[tuple[Block, int]]:
        """The first blocks, as far as they are whole, and how many recordings each finishes.

        The number is 0 while some of the recordings that a block is from have blocks to come.
        """
        if self.folder is None or not self.folder.is_dir():
            return
        for other in self.folder.iterdir():
            if other.name != self.key:
                logger.info("%s: parts of other inputs or settings are removed", self.folder)
                remove_own(other, ("*.part",))
        number = rows = 0
        while (part := _read(self._file(number))) is not None:
            yield part
            number, rows = number + 1, rows + len(part[0])
        if rows:
            logger.info("%s: continues after %s rows of an interrupted run", self.folder, f"{rows:,}")

    def keep(self, number: int, block: Block, recordings: int) -> None:
        """Keeps the block of a number.

        Raises:
            KinemeError: it cannot be written.
        """
        if self.folder is None:
            return
        with atomic_write(self._file(number)) as aside, aside.open("wb") as file:
            columns = {name: getattr(block, name) for name in ("features", *COLUMNS)}
            np.savez(file, recordings=recordings, **columns)

    def _file(self, number: int) -> Path:
        assert self.folder is not None
        return self.folder / self.key / f"{number:06}.part"


NOTHING = Parts(None, "")


def _read(file: Path) -> tuple[Block, int] | None:
    """A part; None if there is none, or it is damaged."""
    damages = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
    with suppress(*damages), file.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
        columns = {name: stored[name] for name in ("features", *COLUMNS)}
        return Block(**columns), int(stored["recordings"])
    return None


@contextmanager
def parts_of(table: Path) -> Iterator[Path]:
    """The folder for the parts of a table, `TABLE.parts`; removed when the block ends well.

    What killed processes left of the table itself is removed first.

    Raises:
        KinemeError: another process writes this table.
    """
    folder = _folder(table)
    with locked(table, "this table"):
        for left in table.parent.glob(f".{escape(table.stem)}.partial-*{escape(table.suffix)}*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        yield folder
        remove_own(folder, PARTS)


def tidy(table: Path) -> None:
    """Removes what a process left that was killed when the table was complete, and its parts still there."""
    folder, lock = _folder(table), table.with_name(f".{table.name}.lock")
    if folder.exists() or lock.exists():
        with suppress(KinemeError), locked(table, "this table"):  # others may be at it, or nobody may write
            remove_own(folder, PARTS)


def _folder(table: Path) -> Path:
    return table.with_name(f"{table.name}.parts")
