"""Files that anybody may have written, read within bounds: YAML, archives of arrays, names."""

from __future__ import annotations

import math
import re
import warnings
import zipfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import yaml

from kineme.errors import one_line
from kineme.typing import Array

LARGEST_YAML = 1 << 22  # bytes; the settings of a run have some 3,000
DEEPEST = 20  # levels of YAML; recipes and layouts have four
LARGEST_ARCHIVE = 1 << 30  # bytes that the arrays of a compressed archive may have together
LONGEST_NAME = 300
MALFORMED = (OSError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError)
"""What is raised where a file holds other things than its kind does, or nests them too deep."""
_AT_ONCE = 1 << 16
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # Python's own takes seconds for a line of brackets
_RANGES = (  # of characters that move the cursor, end a line, change the direction, or are half of one
    (0x01, 0x1F), (0x7F, 0x9F), (0x2028, 0x202E), (0x2066, 0x2069), (0xD800, 0xDFFF),
)  # fmt: skip
_ACTING = re.compile("[" + "".join(f"{chr(low)}-{chr(high)}" for low, high in _RANGES) + "\0]")


def read_yaml(path: Path) -> Any:
    """The contents of a YAML or JSON file as plain containers. Raises as `yaml_node`."""
    node = yaml_node(path)
    return None if node is None else constructed(node)


def yaml_node(path: Path) -> yaml.Node | None:
    """The document of a YAML or JSON file; its nodes know their lines. None of an empty file.

    It is bounded in size and depth, and has no aliases, which can make gigabytes of a few lines, and no merge
    keys, which take settings from where nobody looks.

    Raises:
        OSError, ValueError: the file cannot be read, or is not such YAML; the message names the line.
    """
    with path.open(encoding="utf-8") as file:
        text = file.read(LARGEST_YAML + 1)
    if len(text) > LARGEST_YAML:
        raise ValueError(f"has more than {LARGEST_YAML:,} characters")
    with _yaml_errors():
        _check_events(text)
        node: yaml.Node | None = yaml.compose(text, Loader=_LOADER)
    return node


def constructed(node: yaml.Node) -> Any:
    """A node of `yaml_node` as plain containers.

    Raises:
        ValueError: it has a tag, or a key that is a list; the message names the line.
    """
    with _yaml_errors():
        return yaml.SafeLoader("").construct_document(node)


def _check_events(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 0
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise ValueError(f"line {line}: is nested more than {DEEPEST} levels deep")
        merges = isinstance(event, yaml.ScalarEvent) and event.value == "<<"
        if merges or isinstance(event, yaml.AliasEvent):
            raise ValueError(f"line {line}: has an alias or a merge key; write the values out")


@contextmanager
def _yaml_errors() -> Iterator[None]:
    """YAML's errors, which have several lines, as ValueError with one."""
    try:
        yield
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ValueError(line + " ".join(filter(None, (error.problem, error.context)))) from error
    except yaml.YAMLError as error:
        raise ValueError(one_line(error)) from error


def read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and dtype of a .npy file, of which nothing else is read.

    Raises:
        ValueError: this is not a .npy file, or it is damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote, or damaged ones
            version = np.lib.format.read_magic(stream)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }
            shape, fortran, dtype = read[version](stream)
    except Exception as error:  # the header is Python source, so damage may raise anything
        raise ValueError("is not a .npy array, or is damaged") from error
    return shape, fortran, dtype


def load_array(path: Path, *, mapped: bool = False) -> Array:
    """The array of a .npy file, or a read-only memory map of it.

    Raises:
        OSError, ValueError, EOFError: it cannot be read, is damaged or holds objects.
    """
    with path.open("rb") as file:
        read_header(file)  # NumPy may raise anything at a damaged one
    found: Array = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    return found


def read_arrays(path: Path, names: Collection[str] | None = None) -> dict[str, Array]:
    """The arrays of an .npz archive, by name, in memory that its size on disk bounds, or LARGEST_ARCHIVE.

    Args:
        path: the archive.
        names: those to read; None: all.

    Raises:
        OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error: it cannot be read or is damaged, a
            header claims another size than the array has, or the arrays unfold beyond those bounds.
    """
    found: dict[str, Array] = {}
    try:
        opened = zipfile.ZipFile(path)
    except NotImplementedError as error:  # of a version that nobody has
        raise ValueError(str(error)) from error
    with opened as archive:
        wanted = {
            info.filename.removesuffix(".npy"): info
            for info in archive.infolist()
            if names is None or info.filename.removesuffix(".npy") in names
        }
        size = sum(info.file_size for info in wanted.values())
        if size > max(path.stat().st_size, LARGEST_ARCHIVE):
            raise ValueError(f"expands to {size:,} bytes, far more than it has")
        for name, info in wanted.items():
            found[name] = _array(archive, info)
    return found


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    name = info.filename
    try:
        with archive.open(info) as stream:
            shape, fortran, dtype = read_header(stream)
            if dtype.hasobject or dtype.kind == "V":
                raise ValueError(f"holds {dtype}, not numbers or text")
            size = math.prod(shape) * dtype.itemsize
            if size > info.file_size or min(shape, default=0) < 0:
                raise ValueError(f"has {info.file_size:,} bytes and claims the shape {shape}")
            data = bytearray()
            while len(data) <= size and (part := stream.read(_AT_ONCE)):
                data += part
            if len(data) != size:
                raise ValueError(f"has another size than its shape {shape} needs")
    except (RuntimeError, NotImplementedError, OverflowError) as error:  # encrypted, or packed in another way
        raise ValueError(f"{name}: {error}") from error
    except ValueError as error:
        raise ValueError(f"{name} {error}") from error
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def check_packing(path: Path) -> None:
    """Refuses a checkpoint of PyTorch that is compressed: PyTorch writes none, and it could unfold.

    Raises:
        OSError, ValueError, zipfile.BadZipFile: it is, or cannot be read.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
        size = sum(info.file_size for info in members)
        if size > path.stat().st_size or any(info.compress_type != zipfile.ZIP_STORED for info in members):
            raise ValueError("is compressed and could expand without limit; save it with torch.save")


def bad_name(names: Iterable[str]) -> str | None:
    """What is wrong with the first name that a terminal or a page must not be shown; None if nothing is.

    >>> bad_name(["walk", "größe 1"]), bad_name(["walk", "two\\nlines"])
    (None, "the name 'two\\\\nlines' has characters that act instead of being shown")
    """
    for name in names:
        if not 0 < len(name) <= LONGEST_NAME:
            return f"a name has {len(name):,} characters; it must have 1 to {LONGEST_NAME}"
        if _ACTING.search(name):
            return f"the name {ascii(name)[:80]} has characters that act instead of being shown"
    return None


def bad_names(names: Array) -> str | None:
    """`bad_name` for (N,) text of NumPy, which may be millions."""
    codes = np.ascontiguousarray(names).view(np.uint32)
    suspicious = [low for low, high in _RANGES if ((codes >= low) & (codes <= high)).any()]
    return (
        bad_name(filter(None, names.tolist()))
        if suspicious or names.dtype.itemsize > 4 * LONGEST_NAME
        else None
    )
