"""Formulas: a number that follows time, in a small language of its own, which can compute and nothing else.

`1 + 0.02*sin(t/10)`: numbers, the times and constants below, `+ - * / % **` with the precedence that they have in
Python, comparisons (1 where they hold, 0 where they don't), and functions. Angles are in radians.
"""

import math
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, NamedTuple

from t2iflow.nodes.core.spelling import suggest
from t2iflow.nodes.core.texts import counted
from t2iflow.pipelines.problems import Place

LONGEST, DEEPEST = 500, 40
"""Characters of a formula, and brackets within brackets."""


class Now(NamedTuple):
    """A moment: a step or frame counted from 0, of how many, and how many of them are a second (0 if unknown)."""

    time: float
    length: int
    fps: float = 0.0


Term = Callable[[Now], float]

TIMES: dict[str, Term] = {
    "t": lambda now: now.time,
    "step": lambda now: now.time,
    "steps": lambda now: float(now.length),
    "frame": lambda now: now.time,
    "frames": lambda now: float(now.length),
    "max_f": lambda now: float(now.length - 1),  # Deforum's name for the last frame
    "seconds": lambda now: now.time / now.fps,
}
CLOCKS: dict[str, Literal["step", "frame"]] = {
    **dict.fromkeys(("step", "steps"), "step"),
    **dict.fromkeys(("frame", "frames", "max_f", "seconds"), "frame"),
}
"""What only steps, or only frames, have."""
CONSTANTS = {"pi": math.pi, "e": math.e}


def _clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _where(condition: float, then: float, other: float) -> float:
    return then if condition else other


FUNCTIONS: dict[str, tuple[Callable[..., float], int, int]] = {
    "sin": (math.sin, 1, 1),
    "cos": (math.cos, 1, 1),
    "tan": (math.tan, 1, 1),
    "exp": (math.exp, 1, 1),
    "log": (math.log, 1, 1),
    "sqrt": (math.sqrt, 1, 1),
    "abs": (abs, 1, 1),
    "floor": (math.floor, 1, 1),
    "ceil": (math.ceil, 1, 1),
    "round": (round, 1, 1),
    "pow": (math.pow, 2, 2),
    "min": (min, 2, 20),
    "max": (max, 2, 20),
    "clamp": (_clamp, 3, 3),
    "where": (_where, 3, 3),
}
"""Each function, with the least and the greatest number of values that it takes."""

LEVELS: tuple[dict[str, Callable[[float, float], float]], ...] = (
    {"<=": operator.le, ">=": operator.ge, "==": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt},
    {"+": operator.add, "-": operator.sub},
    {"*": operator.mul, "/": operator.truediv, "%": operator.mod},
)
"""Operators between two numbers, those that bind least first; `**` binds most."""

TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<name>[^\W\d]\w*)|(?P<sign>\*\*|<=|>=|==|!=|[-+*/%<>(),])"
    r"|(?P<end>$)|(?P<other>\S))"
)
LIKELY = re.compile(rf"\b({'|'.join((*TIMES, *FUNCTIONS, 'pi'))})\b|\d\s*[-+*/%^<>=(]\s*\S|[()]")
"""What a text has that is meant as a formula."""


class FormulaError(Exception):
    """A text isn't a formula: why, from which character on and how many, and what would help."""

    def __init__(self, message: str, start: int, width: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.start, self.width, self.hint = start, width, hint


@dataclass(frozen=True)
class Parsed:
    """What a text computes, and the names of times in it."""

    term: Term
    names: frozenset[str]


@cache
def parse(text: str) -> Parsed:
    """Read a formula; FormulaError where it is none."""
    if len(text) > LONGEST:
        raise FormulaError(f"a formula has at most {LONGEST} characters", 0, len(text))
    parser = _Parser(text)
    return Parsed(parser.whole(), frozenset(parser.names))


@dataclass(frozen=True)
class Formula:
    """A formula where a setting has a number, a `whole` one or not."""

    text: str
    whole: bool = False
    place: Place | None = field(default=None, compare=False)

    def at(self, now: Now) -> float:
        """The number at a moment; ValueError where there is none."""
        try:
            value = parse(self.text).term(now)
            if not math.isfinite(value):
                raise OverflowError
        except ZeroDivisionError:
            raise ValueError("it divides by 0") from None
        except OverflowError:
            raise ValueError("it is too large") from None
        except ValueError:
            raise ValueError("a root, power or logarithm in it has none") from None
        return round(value) if self.whole else value

    @property
    def names(self) -> frozenset[str]:
        """The times that it follows."""
        return parse(self.text).names


def formulas(value: Any) -> list[Formula]:
    """The formulas in a setting's value, such as a pair of numbers."""
    if isinstance(value, list | tuple):
        return [one for item in value for one in formulas(item)]
    return [value] if isinstance(value, Formula) else []


def filled(value: Any, number: Callable[[Formula], Any]) -> Any:
    """A setting's value with something else in place of each of its formulas."""
    if isinstance(value, list | tuple):
        return type(value)(filled(item, number) for item in value)
    return number(value) if isinstance(value, Formula) else value


class _Token(NamedTuple):
    kind: str
    text: str
    start: int


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while match := TOKEN.match(text, at):
        kind = match.lastgroup or ""
        yield _Token(kind, match[kind], match.start(kind))
        if kind == "end":
            return
        at = match.end()


class _Parser:
    """Reads from left to right, each level of operators calling the next."""

    def __init__(self, text: str) -> None:
        self.names: set[str] = set()
        self._tokens = _tokens(text)
        self._next = next(self._tokens)
        self._depth = 0

    def whole(self) -> Term:
        """The formula to its end."""
        term = self._level(0)
        if self._next.kind != "end":
            raise self._unexpected()
        return term

    def _take(self) -> _Token:
        taken = self._next
        if taken.kind != "end":
            self._next = next(self._tokens)
        return taken

    def _is(self, *signs: str) -> bool:
        return self._next.kind == "sign" and self._next.text in signs

    def _level(self, level: int) -> Term:
        if level == len(LEVELS):
            return self._signed()
        term = self._level(level + 1)
        while self._is(*LEVELS[level]):
            sign = self._take()
            term = _binary(LEVELS[level][sign.text], term, self._level(level + 1))
            if level == 0 and self._is(*LEVELS[0]):
                raise self._wrong("one comparison at a time", "multiply two: `(t > 10) * (t < 20)`")
        return term

    def _signed(self) -> Term:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._wrong("nested too deep")
        if self._is("-", "+"):
            minus, inner = self._take().text == "-", self._signed()
            term: Term = (lambda now: -inner(now)) if minus else inner
        else:
            term = self._value()
            if self._is("**"):
                self._take()
                term = _binary(math.pow, term, self._signed())
        self._depth -= 1
        return term

    def _value(self) -> Term:
        token = self._take()
        if token.kind == "number":
            return _constant(float(token.text))
        if token.kind == "name" and self._is("("):
            return self._call(token)
        if token.kind == "name":
            return self._name(token)
        if token.kind == "sign" and token.text == "(":
            term = self._level(0)
            self._close()
            return term
        self._next = token
        raise self._unexpected()

    def _name(self, token: _Token) -> Term:
        if token.text in TIMES:
            self.names.add(token.text)
            return TIMES[token.text]
        if token.text in CONSTANTS:
            return _constant(CONSTANTS[token.text])
        message, hint = f"formulas have no `{token.text}`", suggest(token.text, (*TIMES, *CONSTANTS, *FUNCTIONS))
        if token.text in FUNCTIONS:
            message, hint = f"`{token.text}` needs brackets", f"for example `{_example(token.text)}`"
        hint = hint or f"they have {', '.join((*TIMES, *CONSTANTS))}, and the functions {', '.join(FUNCTIONS)}"
        raise FormulaError(message, token.start, len(token.text), hint)

    def _call(self, name: _Token) -> Term:
        if name.text not in FUNCTIONS:
            hint = suggest(name.text, FUNCTIONS) or f"there are {', '.join(FUNCTIONS)}"
            raise FormulaError(f"formulas have no function `{name.text}`", name.start, len(name.text), hint)
        self._take()
        given = [self._level(0)]
        while self._is(","):
            self._take()
            given.append(self._level(0))
        self._close()
        function, least, most = FUNCTIONS[name.text]
        if not least <= len(given) <= most:
            needed = f"{least} or more values" if most > least else counted(least, "value")
            message = f"`{name.text}` takes {needed}, not {len(given)}"
            raise FormulaError(message, name.start, len(name.text), f"for example `{_example(name.text)}`")
        return lambda now: float(function(*[one(now) for one in given]))

    def _close(self) -> None:
        if not self._is(")"):
            raise self._wrong("a bracket isn't closed") if self._next.kind == "end" else self._unexpected()
        self._take()

    def _unexpected(self) -> FormulaError:
        token = self._next
        if token.kind == "end":
            return self._wrong("the formula ends too early")
        power = "powers are written `**`" if token.text == "^" else None
        return self._wrong(f"`{token.text}` is unexpected in a formula", power)

    def _wrong(self, message: str, hint: str | None = None) -> FormulaError:
        return FormulaError(message, self._next.start, max(1, len(self._next.text)), hint)


def _example(function: str) -> str:
    return f"{function}({', '.join(('t', '10', '20')[: FUNCTIONS[function][1]])})"


def _constant(value: float) -> Term:
    return lambda now: value


def _binary(operation: Callable[[float, float], float], left: Term, right: Term) -> Term:
    return lambda now: float(operation(left(now), right(now)))
