"""Where commands may write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kineme.clips.folders import is_store
from kineme.errors import KinemeError
from kineme.files import claimed
from kineme.runs import CONFIG

_HELD = ExitStack()


@contextmanager
def releasing() -> Iterator[None]:
    """Gives back at the end of the block what `hold` took."""
    with _HELD:
        yield


def hold(*paths: Path) -> None:
    """Keeps other processes from writing these files until the command ends.

    Raises:
        KinemeError: another process is writing one, it is a folder or a part of a store or run, or it cannot
            be written.
    """
    for path in paths:
        if path.is_dir():
            raise KinemeError(f"{path}: is a folder; name a file to write")
        if whole := _whole(path.resolve()):
            raise KinemeError(f"{path}: is a part of {whole}; write elsewhere")
        hold_folder(path, "this file")


def _whole(path: Path) -> str:
    """What a file belongs to that would be damaged if it were replaced; nothing is the usual case."""
    name, folder = path.name, path.parent
    if is_store(folder):
        from kineme.clips.writer import OWN

        return f"the clip store {folder.name}" if name in OWN else ""
    if (folder / CONFIG).is_file():
        from kineme.training.directory import FILES, is_run

        return f"the run {folder.name}" if name in FILES and is_run(folder) else ""
    return ""


def hold_folder(path: Path, what: str) -> None:
    """The same for a folder, or for a file that messages are to call something else.

    Args:
        path: of either.
        what: its name in messages, such as `this demo`.

    Raises:
        KinemeError: another process is writing it, or it cannot be written.
    """
    _HELD.enter_context(claimed(path, what))


def name_of(path: Path) -> str:
    """What outputs are named after: a file without its ending, a folder whole, as in `runs/v0.2`."""
    path = path.resolve()
    return path.name if path.is_dir() else path.stem


def table_for(inputs: Sequence[Path], kind: str, out: Path | None = None) -> Path:
    """The CSV table that a command writes: `out`, or KIND-INPUT.csv in the current directory.

    Args:
        inputs: what it is made from; the first one gives its name.
        kind: of the rows, such as `segments`.
        out: the table that the user names.

    Raises:
        KinemeError: it has another suffix, or is one of the inputs.
    """
    path = out or Path(f"{kind}-{name_of(inputs[0])}.csv")
    if path.suffix.lower() != ".csv":
        raise KinemeError(f"{path}: is not a table name; it must end in .csv")
    check_no_input(path, inputs)
    return path


def check_figure(path: Path, option: str) -> None:
    """Checks that a figure can be written under this name; `option` names the parameter in the message.

    Raises:
        KinemeError: it has another suffix.
    """
    if path.suffix.lower() not in (".png", ".svg"):
        raise KinemeError(f"`{option}` {path}: must end in .png or .svg")


def check_no_input(out: Path, inputs: Iterable[Path]) -> None:
    """Refuses to write a file over what it is made from.

    Raises:
        KinemeError: it is one of the inputs.
    """
    if out.resolve() in [each.resolve() for each in inputs]:
        raise KinemeError(f"{out}: is an input too; write elsewhere with `out`")
