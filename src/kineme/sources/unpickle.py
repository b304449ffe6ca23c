"""Untrusted pickles: arrays and plain containers are read, everything else is refused.

Python's own unpickler with an allow-list: every global that a file names becomes one of the constructors
below, or is refused by name, so no code of the file runs and no function of its choice. An array must have as
many bytes as its shape claims, and everything the constructors make has at most twice the bytes of the file.

Protocols 0 to 5 are read, with old and new module paths of NumPy; text of Python 2 as latin-1.

How much memory its memo takes is looked at before it is loaded, see `memo`.

Not guarded against: a malicious file can exhaust Python's own unpickler by tuples nested deeply in a key, and
so end the process.
"""

from __future__ import annotations

import io
import math
import mmap
import os
import pickle
import re
from collections.abc import Callable, Collection, Mapping, Sized
from typing import IO, Any

import numpy as np

from kineme.errors import KinemeError, one_line
from kineme.sources.memo import MemoError, check_memo
from kineme.sources.raw import RawFile, shown

_MAX_PACKED_BYTES = 1 << 30  # in an archive, where the whole file is held
_DTYPE = re.compile(r"[biufSU][1-9]\d{0,8}|O8?", re.ASCII)
_REMEDY = "download the file again, or export its data with numpy.savez"


def read_pickle(file: RawFile, inert: Collection[str] = ()) -> Any:
    """What a pickle holds: dict, list, tuple, set, str, bytes, numbers, None, arrays.

    Args:
        file: the pickle.
        inert: classes such as `scipy.sparse.csc.csc_matrix` whose objects become `Inert`: their state is
            kept, nothing of the class is run, and it need not be installed.

    Raises:
        KinemeError: it cannot be read, is damaged, or holds anything else; the message names it.
    """
    packed = file.member is not None
    try:
        with io.BytesIO(file.read(_MAX_PACKED_BYTES)) if packed else file.open() as stream:
            _check_memo(stream)
            return _Unpickler(stream, file.size, inert).load()
    except KinemeError:
        raise
    except _RefusedError as error:
        raise KinemeError(f"{file}: {error}; {_REMEDY}") from error
    except Exception as error:  # damaged pickles may raise anything
        raise KinemeError(f"{file}: is not a pickle, or is damaged ({one_line(error)}); {_REMEDY}") from error


def unpickled(data: bytes) -> Any:
    """What a small pickle inside another file holds, as `read_pickle`; raises ValueError."""
    try:
        check_memo(data)
        return _Unpickler(io.BytesIO(data), len(data), ()).load()
    except Exception as error:  # damaged pickles may raise anything
        raise ValueError(f"has a part that is not a pickle, or is damaged ({one_line(error)})") from error


def _check_memo(stream: IO[bytes]) -> None:
    """`check_memo` of a whole file, which is not read into memory for it."""
    try:
        if isinstance(stream, io.BytesIO):
            check_memo(stream.getvalue())
        elif os.fstat(stream.fileno()).st_size:  # what is empty cannot be mapped
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
                check_memo(data)
    except MemoError as error:
        raise _RefusedError(str(error)) from error


class _RefusedError(Exception):
    """A reason in words for users."""


class Inert:
    """An object of a class that was not loaded: what its pickle says of it, and nothing that acts.

    Attributes:
        state: whatever the pickle gave it, most often a dictionary.
    """

    state: Any = None

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Allowance:
    """How many bytes may still be made.

    Constructors are in an unpickler's memo. If they knew the unpickler, a damaged file's would stay for ever.
    """

    def __init__(self, size: int) -> None:
        self._left = size

    def spend(self, arguments: tuple[Any, ...]) -> None:
        """Counts what is made into something else: a few bytes can name the same data again and again."""
        self._left -= sum(len(argument) for argument in arguments if isinstance(argument, Sized))
        if self._left < 0:
            raise _RefusedError("expands to more data than it holds")


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes], size: int, inert: Collection[str]) -> None:
        super().__init__(file, encoding="latin1")
        self._spend = _Allowance(2 * size).spend
        self._inert = inert

    def find_class(self, module: str, name: str) -> Any:
        """The constructor that stands for a global."""
        known = module.replace("__builtin__", "builtins").replace("numpy.core.", "numpy._core.")
        if self._inert:
            if f"{module}.{name}" in self._inert:
                return type(name, (Inert,), {})
            if (known, name) == ("builtins", "object"):
                return type("object", (), {})
            if (module, name) in (("copy_reg", "_reconstructor"), ("copyreg", "_reconstructor")):
                return _Constructor(_reconstructor, self._spend)
        if (known, name) not in _CONSTRUCTORS:
            raise _RefusedError(f"contains {shown(f'{module}.{name}')}, not only arrays and plain containers")
        return _Constructor(_CONSTRUCTORS[known, name], self._spend)


class _Constructor:
    """A function that a pickle may call and cannot change."""

    __slots__ = ("_function", "_spend")

    def __init__(self, function: Callable[..., Any], spend: Callable[[tuple[Any, ...]], None]) -> None:
        self._function = function
        self._spend = spend

    def __call__(self, *arguments: Any) -> Any:
        self._spend(arguments)
        made = self._function(*arguments)
        if isinstance(made, _Array):
            made.spend = self._spend
        return made

    def __setstate__(self, state: object) -> None:
        raise _RefusedError("sets the state of a function")


class _Dtype:
    """A dtype in the making: its byte order comes after its code."""

    def __init__(self, code: str | bytes, *_: object) -> None:
        self.code = code.decode("latin-1") if isinstance(code, bytes) else code
        if not _DTYPE.fullmatch(self.code):
            raise _RefusedError(f"contains an array of type {shown(self.code)}; expected numbers or text")
        self.order = "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] not in ("<", ">", "|", "="):
            raise ValueError("byte order")
        self.order = state[1]

    @property
    def numpy(self) -> np.dtype[Any]:
        return np.dtype("O" if self.code[0] == "O" else self.order + self.code)

    def check(self, shape: tuple[int, ...], data: Sized) -> None:
        """Refuses an array of another size than its shape claims, before it is made."""
        if len(shape) > 32 or any(type(length) is not int or length < 0 for length in shape):
            raise ValueError("shape")
        size = 1 if self.code[0] == "O" else self.numpy.itemsize
        if math.prod(shape) * size != len(data):
            raise _RefusedError(
                f"contains an array that claims the shape {shown(shape)} and has another size"
            )


class _Array(np.ndarray[Any, np.dtype[Any]]):
    """An array that gets its shape and data after it was made; pickled again, it is a plain array."""

    spend: Callable[[tuple[Any, ...]], None]

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.spend(state)
        del self.spend
        version, shape, dtype, fortran, data = state
        data = list(data) if dtype.code[0] == "O" else _bytes(data)
        dtype.check(shape, data)
        checked: Any = (version, shape, dtype.numpy, bool(fortran), data)
        super().__setstate__(checked)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.view(np.ndarray).__reduce_ex__(protocol)


def _reconstructor(kind: type, *_: object) -> Inert:
    """How older protocols make an object: only of inert classes."""
    if not (isinstance(kind, type) and issubclass(kind, Inert)):
        raise _RefusedError("makes an object of a class that is not known")
    return kind()


def _reconstruct(*_: object) -> _Array:
    return np.empty(0, np.int8).view(_Array)


def _frombuffer(data: Any, dtype: _Dtype, shape: Any, order: Any, axes: Any = None) -> Any:
    """Arrays of protocol 5."""
    dtype.check(shape, data)
    if order == "K":  # axes in another order than in memory
        return np.ndarray(shape, dtype.numpy, data).transpose(axes)
    return np.ndarray(shape, dtype.numpy, data, order=order)


def _scalar(dtype: _Dtype, data: Any) -> Any:
    return _frombuffer(_bytes(data), dtype, (), "C")[()]


def _bytes(data: Any) -> bytes:
    """Bytes; Python 2's came as text."""
    return data.encode("latin-1") if isinstance(data, str) else memoryview(data).tobytes()


def _encode(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes for Python 2."""
    if encoding not in ("latin1", "latin-1"):
        raise ValueError("encoding")
    return text.encode("latin-1")


_CONSTRUCTORS: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): _reconstruct,  # only ever handed to `_reconstruct`
    ("numpy", "dtype"): _Dtype,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("numpy._core.numeric", "_frombuffer"): _frombuffer,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): lambda pairs=(): dict(pairs),
    ("builtins", "set"): lambda items=(): set(items),
    ("builtins", "frozenset"): lambda items=(): frozenset(items),
    ("builtins", "bytes"): lambda: b"",
}
