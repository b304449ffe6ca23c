"""The language of pickles, as far as data is written in it: a stack, a memo, and an instruction at a time.

It is that of Python's `pickletools`, protocols 0 to 5. Any error but `RefusedError` means a damaged pickle.
"""

from __future__ import annotations

import codecs
import mmap
import pickle
import struct
from collections.abc import Callable, Mapping, Sized
from typing import Any

import numpy as np

from kineme.sources.unpickle_globals import (
    GLOBALS,
    Dtype,
    Function,
    RefusedError,
    as_dict,
    as_frozenset,
    as_key,
    fill,
    shown,
)

_MAX_INSTRUCTIONS = 50_000_000  # NTU RGB+D 120 takes some 10 million; one can make a hundred bytes of its own
_MAX_INTEGER_BYTES = 8

_Step = Callable[["Machine"], object]


class Machine:
    """What a pickle is a program for: a stack, marks in it, and a memo."""

    def __init__(self, data: bytes | mmap.mmap) -> None:
        self.data = data
        self.at = 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.allowance = 2 * len(data)

    def run(self) -> Any:
        """Until the pickle stops; what it leaves on the stack."""
        for _ in range(_MAX_INSTRUCTIONS):
            (code,) = self.take(1)
            if code == pickle.STOP[0]:
                (result,) = self.stack
                return result
            if code not in _STEPS:
                where = f"instruction {bytes([code])!r} at byte {self.at - 1:,}"
                raise RefusedError(f"is no pickle of arrays and plain containers ({where})")
            _STEPS[code](self)
        raise RefusedError(f"has more than {_MAX_INSTRUCTIONS:,} instructions, far more than a set of clips")

    def take(self, count: int) -> bytes:
        """The next bytes."""
        if not 0 <= count <= len(self.data) - self.at:
            raise RefusedError(f"is cut off, or a damaged pickle (at byte {self.at:,})")
        self.at += count
        return self.data[self.at - count : self.at]

    def line(self) -> bytes:
        """The next bytes up to the end of a line."""
        return self.take(self.data.find(b"\n", self.at) + 1 - self.at)[:-1]

    def marked(self) -> list[Any]:
        """All above the last mark, taken off the stack."""
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def top(self, kind: type) -> Any:
        """What lies on top, of this very type."""
        if type(self.stack[-1]) is not kind:
            raise TypeError
        return self.stack[-1]

    def spend(self, arguments: tuple[Any, ...]) -> None:
        """Counts what is made into something else: by the memo, a few bytes can name the same text again.

        All bytes of a file pass here twice at most: as text that becomes bytes, and these an array.
        """
        self.allowance -= sum(len(argument) for argument in arguments if isinstance(argument, Sized))
        if self.allowance < 0:
            raise RefusedError("makes more of its data than it holds")

    def reduce(self) -> None:
        """Calls an admitted function."""
        arguments = self.stack.pop()
        if type(arguments) is not tuple:
            raise TypeError
        self.spend(arguments)
        self.stack[-1] = self.top(Function).call(*arguments)

    def build(self) -> None:
        """Completes an array or a dtype."""
        state = self.stack.pop()
        if type(self.stack[-1]) is np.ndarray:
            self.spend(state)
            fill(self.stack[-1], *state)
        else:
            self.top(Dtype).set_order(state[1])

    def find(self, module: str, name: str) -> None:
        """Puts an admitted global on the stack."""
        if type(module) is not str or type(name) is not str:
            raise TypeError
        if (module, name) not in GLOBALS:
            raise RefusedError(f"holds {shown(f'{module}.{name}')}, which is no array and no plain container")
        self.stack.append(GLOBALS[module, name])


# What each instruction does; those that are not here could do more than hold data.


def _push(value: Any) -> _Step:
    return lambda machine: machine.stack.append(value)


def _push_new(kind: Callable[[], Any]) -> _Step:
    return lambda machine: machine.stack.append(kind())


def _push_fixed(form: str) -> _Step:
    packed = struct.Struct(form)
    return lambda machine: machine.stack.append(packed.unpack(machine.take(packed.size))[0])


def _push_counted(form: str, convert: Callable[[bytes], Any]) -> _Step:
    count = struct.Struct(form)

    def step(machine: Machine) -> None:
        (size,) = count.unpack(machine.take(count.size))
        machine.stack.append(convert(machine.take(size)))

    return step


def _push_line(convert: Callable[[bytes], Any]) -> _Step:
    return lambda machine: machine.stack.append(convert(machine.line()))


def _push_marked(convert: Callable[[list[Any]], Any]) -> _Step:
    return lambda machine: machine.stack.append(convert(machine.marked()))


def _push_tuple(count: int) -> _Step:
    def step(machine: Machine) -> None:
        machine.stack[-count:] = [tuple(machine.stack[-count:])]

    return step


def _remember(index: Callable[[Machine], int]) -> _Step:
    def step(machine: Machine) -> None:
        machine.memo[index(machine)] = machine.stack[-1]

    return step


def _recall(index: Callable[[Machine], int]) -> _Step:
    return lambda machine: machine.stack.append(machine.memo[index(machine)])


def _index(form: str) -> Callable[[Machine], int]:
    packed = struct.Struct(form)
    return lambda machine: int(packed.unpack(machine.take(packed.size))[0])


def _index_line(machine: Machine) -> int:
    return int(machine.line())


def _integer(digits: bytes) -> int | bool:
    if digits in (b"00", b"01"):  # Python 2's truth values
        return digits == b"01"
    number = int(digits.removesuffix(b"L"))
    if number.bit_length() > 8 * _MAX_INTEGER_BYTES:
        raise OverflowError
    return number


def _little(data: bytes) -> int:
    if len(data) > _MAX_INTEGER_BYTES + 1:  # a sign takes one
        raise OverflowError
    return int.from_bytes(data, "little", signed=True)


def _latin1(data: bytes) -> str:
    return data.decode("latin-1")


def _quoted(line: bytes) -> str:
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise ValueError
    return codecs.escape_decode(line[1:-1])[0].decode("latin-1")


def _of_pairs(items: list[Any]) -> dict[Any, Any]:
    return as_dict(zip(items[::2], items[1::2], strict=True))


def _append(machine: Machine) -> None:
    item = machine.stack.pop()
    machine.top(list).append(item)


def _extend(machine: Machine) -> None:
    items = machine.marked()
    machine.top(list).extend(items)


def _set_item(machine: Machine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.top(dict)[as_key(key)] = value


def _set_items(machine: Machine) -> None:
    items = machine.marked()
    machine.top(dict).update(_of_pairs(items))


def _add_items(machine: Machine) -> None:
    items = machine.marked()
    machine.top(set).update(map(as_key, items))


def _find_lines(machine: Machine) -> None:
    module, name = machine.line(), machine.line()
    machine.find(module.decode(), name.decode())


def _find_on_stack(machine: Machine) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.find(module, name)


_STEPS: Mapping[int, _Step] = {
    code[0]: step
    for code, step in {
        pickle.PROTO: lambda machine: machine.take(1),
        pickle.FRAME: lambda machine: machine.take(8),
        pickle.MARK: lambda machine: machine.marks.append(len(machine.stack)),
        pickle.POP: lambda machine: machine.stack.pop(),
        pickle.POP_MARK: lambda machine: machine.marked(),
        pickle.NONE: _push(None),
        pickle.NEWTRUE: _push(True),
        pickle.NEWFALSE: _push(False),
        pickle.EMPTY_LIST: _push_new(list),
        pickle.EMPTY_DICT: _push_new(dict),
        pickle.EMPTY_SET: _push_new(set),
        pickle.EMPTY_TUPLE: _push(()),
        pickle.BININT: _push_fixed("<i"),
        pickle.BININT1: _push_fixed("<B"),
        pickle.BININT2: _push_fixed("<H"),
        pickle.BINFLOAT: _push_fixed(">d"),
        pickle.LONG1: _push_counted("<B", _little),
        pickle.LONG4: _push_counted("<i", _little),
        pickle.BINBYTES: _push_counted("<I", bytes),
        pickle.BINBYTES8: _push_counted("<Q", bytes),
        pickle.SHORT_BINBYTES: _push_counted("<B", bytes),
        pickle.BYTEARRAY8: _push_counted("<Q", bytes),
        pickle.BINSTRING: _push_counted("<i", _latin1),
        pickle.SHORT_BINSTRING: _push_counted("<B", _latin1),
        pickle.BINUNICODE: _push_counted("<I", bytes.decode),
        pickle.BINUNICODE8: _push_counted("<Q", bytes.decode),
        pickle.SHORT_BINUNICODE: _push_counted("<B", bytes.decode),
        pickle.INT: _push_line(_integer),
        pickle.LONG: _push_line(_integer),
        pickle.FLOAT: _push_line(float),
        pickle.STRING: _push_line(_quoted),
        pickle.UNICODE: _push_line(lambda line: line.decode("raw-unicode-escape")),
        pickle.LIST: _push_marked(list),
        pickle.TUPLE: _push_marked(tuple),
        pickle.DICT: _push_marked(_of_pairs),
        pickle.FROZENSET: _push_marked(as_frozenset),
        pickle.TUPLE1: _push_tuple(1),
        pickle.TUPLE2: _push_tuple(2),
        pickle.TUPLE3: _push_tuple(3),
        pickle.APPEND: _append,
        pickle.APPENDS: _extend,
        pickle.SETITEM: _set_item,
        pickle.SETITEMS: _set_items,
        pickle.ADDITEMS: _add_items,
        pickle.MEMOIZE: _remember(lambda machine: len(machine.memo)),
        pickle.PUT: _remember(_index_line),
        pickle.BINPUT: _remember(_index("<B")),
        pickle.LONG_BINPUT: _remember(_index("<I")),
        pickle.GET: _recall(_index_line),
        pickle.BINGET: _recall(_index("<B")),
        pickle.LONG_BINGET: _recall(_index("<I")),
        pickle.GLOBAL: _find_lines,
        pickle.STACK_GLOBAL: _find_on_stack,
        pickle.REDUCE: Machine.reduce,
        pickle.BUILD: Machine.build,
    }.items()
}
