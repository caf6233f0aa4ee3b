"""Pickles interpreted instruction by instruction, without Python's unpickler: a name in them stays a name.

A pickle is a program for a stack machine. This machine knows the instructions that build plain values, and those by
which torch says "a tensor of this storage" and "an object of this class, with these attributes". It imports nothing and
calls nothing: a class of the file's becomes a `Holder` of its attributes, a tensor a record of where its numbers lie.
"""

import pickletools
from collections.abc import Callable
from typing import IO, Any

from t2iflow.nodes.weights.checkpoints.allowed import (
    DTYPES,
    Holder,
    Name,
    RefusedError,
    Storage,
    allowed,
    kind_of,
    stand_in,
)

MOST = 1_000_000
"""Instructions that are followed, and attributes that are set, so no object of many attributes is copied many times.

The largest checkpoints take a tenth of that; an empty mapping, one byte of a pickle, takes 64 of memory.
"""


def follow(file: IO[bytes], storages: dict[str, Storage] | None = None) -> Any:
    """The value that one pickle builds, the file then standing behind it; storages that it names are added to those."""
    return _Machine({} if storages is None else storages).run(file)


class _Machine:
    def __init__(self, storages: dict[str, Storage]) -> None:
        self.storages = storages
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.set = 0

    def run(self, file: IO[bytes]) -> Any:
        argument: Any
        for number, (opcode, argument, _) in enumerate(pickletools.genops(file)):
            if number > MOST:
                raise RefusedError(f"it takes more than {MOST:,} instructions")
            if opcode.name in _VALUES:
                self.stack.append(argument)
            elif opcode.name in _FIXED:
                self.stack.append(_FIXED[opcode.name])
            elif opcode.name in _PUTS:
                self.memo[len(self.memo) if argument is None else argument] = self.stack[-1]
            elif opcode.name in _GETS:
                self.stack.append(self.memo[argument])
            elif opcode.name == "STOP":
                return self.stack.pop()
            elif opcode.name == "GLOBAL":
                self.stack.append(allowed(*argument.split(" ", 1)))
            elif opcode.name in _ACTS:
                _ACTS[opcode.name](self)
            elif opcode.name not in ("PROTO", "FRAME"):
                raise RefusedError(f"it uses the instruction {opcode.name}")
        raise ValueError("it was cut short")  # genops says so itself

    def last(self, count: int) -> list[Any]:
        """So many things from the top of the stack, which are taken from it."""
        return [self.stack.pop() for _ in range(count)][::-1]

    def since_mark(self) -> list[Any]:
        return self.last(len(self.stack) - self.marks.pop())

    def extend(self, items: list[Any]) -> None:
        if isinstance(self.stack[-1], list):
            self.stack[-1].extend(items)
        elif not isinstance(self.stack[-1], Holder):  # a class of lists: what is in it, nobody asks for
            raise RefusedError(f"it adds items to {kind_of(self.stack[-1])}")

    def update(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, Holder):
            target = target.attributes
        if not isinstance(target, dict):
            raise RefusedError(f"it gives keys to {kind_of(target)}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Of a tuple of tuples of tuples ... the hash would overflow the stack.
            if not isinstance(key, str | int | float | bytes | Name | None):
                raise RefusedError(f"it has {kind_of(key)} for a key")
            target[key] = value

    def call(self) -> None:
        function, arguments = self.last(2)
        if not isinstance(function, Name) or not isinstance(arguments, tuple):
            raise RefusedError(f"it calls {kind_of(function)}")
        self.stack.append(stand_in(function, arguments))

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, Holder):
            for part in state if isinstance(state, tuple) else (state,):
                if isinstance(part, dict):
                    self.set += len(part)
                    if self.set > MOST:
                        raise RefusedError(f"it sets more than {MOST} attributes")
                    target.attributes.update(part)
        elif type(target) is not dict:  # attributes of an OrderedDict, a state dict's `_metadata`: not needed
            raise RefusedError(f"it sets attributes of {kind_of(target)}")

    def persistent(self) -> None:
        kind, *rest = self.stack.pop()
        if kind == "module":  # a class and its source, in the old container
            self.stack.append(rest[0])
            return
        named, key, _, length, *view = rest
        if kind != "storage" or not isinstance(named, Name) or named.module != "torch" or named.name not in DTYPES:
            raise RefusedError(f"it has {kind_of(named)} for a storage")
        if not (type(key) is str and key.isdecimal()):
            raise RefusedError(f"it has a storage called {key if isinstance(key, str) else kind_of(key):.40}")
        if type(length) is not int or length < 0 or any(view):
            raise RefusedError(f"it has a storage of {length if type(length) is int else kind_of(length)} numbers")
        storage = Storage(DTYPES[named.name], key, length)
        if self.storages.setdefault(key, storage) != storage:
            raise RefusedError(f"it has two storages called {key}")
        self.stack.append(storage)


_FIXED = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_VALUES = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINBYTES", "SHORT_BINBYTES"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING"),
}
_PUTS = {"BINPUT", "LONG_BINPUT", "MEMOIZE"}
_GETS = {"BINGET", "LONG_BINGET"}
_ACTS: dict[str, Callable[[_Machine], None]] = {
    "MARK": lambda machine: machine.marks.append(len(machine.stack)),
    "EMPTY_LIST": lambda machine: machine.stack.append([]),
    "EMPTY_SET": lambda machine: machine.stack.append([]),
    "EMPTY_DICT": lambda machine: machine.stack.append({}),
    "TUPLE": lambda machine: machine.stack.append(tuple(machine.since_mark())),
    "TUPLE1": lambda machine: machine.stack.append(tuple(machine.last(1))),
    "TUPLE2": lambda machine: machine.stack.append(tuple(machine.last(2))),
    "TUPLE3": lambda machine: machine.stack.append(tuple(machine.last(3))),
    "APPEND": lambda machine: machine.extend(machine.last(1)),
    "APPENDS": lambda machine: machine.extend(machine.since_mark()),
    "ADDITEMS": lambda machine: machine.extend(machine.since_mark()),
    "SETITEM": lambda machine: machine.update(machine.last(2)),
    "SETITEMS": lambda machine: machine.update(machine.since_mark()),
    "STACK_GLOBAL": lambda machine: machine.stack.append(allowed(*machine.last(2))),
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.call,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.persistent,
}
