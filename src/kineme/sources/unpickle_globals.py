"""What a stranger's pickle may call for: numpy's arrays, dtypes and scalars, sets and ordered dicts.

None of numpy's own functions is called before what it is given was checked: an array is made once its shape
and type are known to fit the bytes that are there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from types import NoneType
from typing import Any, Literal

import numpy as np

from kineme.typing import Array

_MAX_AXES = 32
_DTYPE = re.compile(r"[biufSU][1-9]\d{0,8}|O8?", re.ASCII)
_NDARRAY = object()


class RefusedError(ValueError):
    """A reason in words for users. Other errors that a pickle brings about only mean that it is damaged."""


@dataclass(frozen=True)
class Function:
    """An admitted global, which the pickle may call and nothing else."""

    call: Callable[..., Any]


class Dtype:
    """A dtype in the making: a pickle gives its byte order after it has made it."""

    def __init__(self, code: str) -> None:
        if not _DTYPE.fullmatch(code):
            raise RefusedError(f"holds an array of type {shown(code)}; numbers and text are possible")
        self.code = code
        self.order = "="

    def set_order(self, order: str) -> None:
        """Little-endian or big-endian."""
        if order not in ("<", ">", "|", "="):
            raise ValueError
        self.order = order

    @property
    def numpy(self) -> np.dtype[Any]:
        """What it stands for."""
        return np.dtype("O" if self.code[0] == "O" else self.order + self.code)


def fill(array: Array, version: int, shape: tuple[int, ...], dtype: Dtype, fortran: int, data: Any) -> None:
    """Gives an array that `_empty` made its shape and contents."""
    if array.shape != (0,) or array.dtype != np.int8 or version != 1:
        raise ValueError
    if dtype.code[0] != "O":
        data = _bytes(data)
    elif type(data) is not list:
        raise TypeError
    _check_size(shape, dtype, data)
    state: Any = (1, shape, dtype.numpy, bool(fortran), data)
    array.__setstate__(state)


def _check_size(shape: tuple[int, ...], dtype: Dtype, data: Sized) -> None:
    """Refuses arrays that claim another size than they have, before they are made."""
    if type(shape) is not tuple or len(shape) > _MAX_AXES or any(type(n) is not int or n < 0 for n in shape):
        raise TypeError
    size = 1 if dtype.code[0] == "O" else dtype.numpy.itemsize
    if math.prod(shape) * size != len(data):
        raise RefusedError(f"holds an array that claims the shape {shown(str(shape))} and is of another size")


def _empty(kind: object, shape: object, code: object) -> Array:
    """An array that is filled later."""
    if kind is not _NDARRAY:
        raise TypeError
    return np.empty(0, np.int8)


def _dtype(code: Any, *_: object) -> Dtype:
    return Dtype(code.decode("latin-1") if isinstance(code, bytes) else code)


def _scalar(dtype: Dtype, data: Any) -> Any:
    return _array(_bytes(data), dtype, (), "C")[()]


def _array(
    data: bytes,
    dtype: Dtype,
    shape: tuple[int, ...],
    order: Literal["C", "F", "K"],
    axes: Sequence[int] | None = None,
) -> Array:
    """Protocol 5's arrays."""
    if dtype.code[0] == "O" or type(data) is not bytes:
        raise TypeError
    _check_size(shape, dtype, data)
    if order == "K":  # axes in another order than in memory
        return np.ndarray(shape, dtype.numpy, data).transpose(axes)
    return np.ndarray(shape, dtype.numpy, data, order=order)


def _bytes(data: Any) -> bytes:
    """Bytes, or Python 2's, which came as text."""
    return data if type(data) is bytes else bytes(data.encode("latin-1"))


def _encoded(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes for Python 2."""
    if encoding not in ("latin1", "latin-1"):
        raise ValueError
    return text.encode("latin-1")


def _no_bytes() -> bytes:
    return b""


def as_dict(pairs: Iterable[Sequence[Any]] = ()) -> dict[Any, Any]:
    """Pairs of key and value → a dict."""
    return {as_key(key): value for key, value in pairs}


def _set(items: Iterable[Any] = ()) -> set[Any]:
    return set(map(as_key, items))


def as_frozenset(items: Iterable[Any] = ()) -> frozenset[Any]:
    """Elements → a set that does not change."""
    return frozenset(map(as_key, items))


def as_key(key: Any) -> Any:
    """The key itself, if it is a plain one: hashing tuples within tuples can take forever, or crash."""
    if type(key) not in (str, bytes, int, bool, NoneType):
        raise RefusedError(f"has a {type(key).__name__} as a key or in a set; text and integers are possible")
    return key


def shown(text: str) -> str:
    """What a pickle says, as a message quotes it."""
    return ascii(text if len(text) <= 60 else f"{text[:60]}...")


GLOBALS: Mapping[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): Function(_dtype),
    ("_codecs", "encode"): Function(_encoded),
    ("collections", "OrderedDict"): Function(as_dict),
    **{
        (f"{core}.{module}", name): Function(call)
        for core in ("numpy.core", "numpy._core")
        for module, name, call in (
            ("multiarray", "_reconstruct", _empty),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _array),
        )
    },
    **{
        (builtins, name): Function(call)
        for builtins in ("builtins", "__builtin__")
        for name, call in (("set", _set), ("frozenset", as_frozenset), ("bytes", _no_bytes))
    },
}
