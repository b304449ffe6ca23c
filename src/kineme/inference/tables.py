"""Tables of features: their blocks, written as CSV, .npz or Parquet in bounded memory."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from kineme.errors import KinemeError
from kineme.files import atomic_write
from kineme.typing import Array

Append = Callable[["Block"], None]


@dataclass(frozen=True)
class Block:
    """Some rows of a table of features; the fields are its columns.

    Attributes:
        features: (N, D) float32.
        source: (N,) the input that each comes from.
        name: of the recording.
        start, end: of the window in seconds from the recording's beginning.
        subject: the performer, empty if unknown.
        label: name of the class, empty if unknown.

    >>> import kineme
    >>> for block in kineme.inference.embed_table(kineme.load(example_run), [example_store]):
    ...     print(block.features.shape, block.subject[0])
    (24, 64) 1
    """

    features: Array
    source: Array
    name: Array
    start: Array
    end: Array
    subject: Array
    label: Array

    def __len__(self) -> int:
        return len(self.features)


COLUMNS = tuple(each.name for each in fields(Block) if each.name != "features")


def check_table(path: Path) -> None:
    """Checks that a table of this name can be written.

    Raises:
        KinemeError: its suffix is unknown, or pyarrow is missing.
    """
    if path.suffix.lower() not in WRITERS:
        raise KinemeError(f"{path}: is not a table name; it must end in one of {', '.join(WRITERS)}")
    if path.suffix.lower() == ".parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            raise KinemeError(
                f"{path}: Parquet needs pyarrow; pip install 'kineme[parquet]', or write .npz or .csv"
            ) from error


def write_table(blocks: Iterable[Block], path: str | Path) -> int:
    """Writes a table block by block, in the format of its suffix: `.csv`, `.npz` or `.parquet`.

    An existing file is replaced once the new one is complete.

    Args:
        blocks: from `embed_table`.
        path: of the table.

    Returns:
        the number of rows.

    Raises:
        KinemeError: as `check_table`, the file cannot be written, or a block cannot be made.

    >>> import kineme
    >>> blocks = kineme.inference.embed_table(kineme.load(example_run), [example_store])
    >>> write_table(blocks, example_folder / "features.npz")
    24
    """
    path = Path(path)
    check_table(path)
    rows = 0
    with atomic_write(path) as aside, WRITERS[path.suffix.lower()](aside) as append:
        for block in blocks:
            append(block)
            rows += len(block)
    return rows


@contextmanager
def _csv(path: Path) -> Iterator[Append]:
    """Features are columns f0, f1, ... with as many digits as float32 has."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)

        def append(block: Block) -> None:
            if file.tell() == 0:
                writer.writerow([*COLUMNS, *(f"f{i}" for i in range(block.features.shape[1]))])
            columns = [_text(getattr(block, name)) for name in COLUMNS]
            writer.writerows(
                [*row, *digits.astype(str)] for *row, digits in zip(*columns, block.features, strict=True)
            )

        yield append


def _text(column: Array) -> list[str]:
    """Times to the millisecond."""
    return [f"{value:.3f}" for value in column] if column.dtype.kind == "f" else column.tolist()


@contextmanager
def _npz(path: Path) -> Iterator[Append]:
    """One array per column. Its header states its length, so blocks are kept aside until that is known."""
    names = ("features", *COLUMNS)
    with TemporaryDirectory(prefix=f"{path.name}-", dir=path.parent) as folder:
        types: dict[str, np.dtype[Any]] = {}
        shapes: list[tuple[int, int]] = []

        def append(block: Block) -> None:
            shapes.append(block.features.shape)
            for name in names:
                column = getattr(block, name)
                types[name] = np.promote_types(types.get(name, column.dtype), column.dtype)  # longest text
                with Path(folder, name).open("ab") as file:
                    np.save(file, column, allow_pickle=False)

        yield append
        rows, dim = sum(count for count, _ in shapes), shapes[0][1]
        with zipfile.ZipFile(path, "w") as archive:
            for name, dtype in types.items():
                size = (rows, dim) if name == "features" else (rows,)
                header = {"descr": dtype.str, "fortran_order": False, "shape": size}
                with (
                    Path(folder, name).open("rb") as file,
                    archive.open(f"{name}.npy", "w", force_zip64=True) as member,
                ):
                    np.lib.format.write_array_header_1_0(member, header)
                    for _ in shapes:
                        member.write(np.load(file, allow_pickle=False).astype(dtype).tobytes())


@contextmanager
def _parquet(path: Path) -> Iterator[Append]:
    """Features are one column of lists; a block is a row group."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    writer: Any = None

    def append(block: Block) -> None:
        nonlocal writer
        lists = pa.FixedSizeListArray.from_arrays(pa.array(block.features.ravel()), block.features.shape[1])
        table = pa.table({**{name: pa.array(getattr(block, name)) for name in COLUMNS}, "features": lists})
        writer = writer or ParquetWriter(path, table.schema)
        writer.write_table(table)

    try:
        yield append
    finally:
        if writer is not None:
            writer.close()


WRITERS = {".csv": _csv, ".npz": _npz, ".parquet": _parquet}
