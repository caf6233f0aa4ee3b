"""Keyframes as a recipe writes them: values at steps or frames, at parts of the way, or at seconds of a film.

`{0: 1.0, 60: 1.02, 100%: 1.05, ease: smooth}`: a whole number is a step (or frame) counted from 0, a percentage a part
of the way, 100% being the last, `2s` a time in seconds of a film. Before the first and after the last keyframe its
value stays; `before:` says what else holds before the first (continued.py). A value may be a formula, which holds until
the next keyframe, as in Deforum.
"""

import math
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from t2iflow.nodes.core.spelling import suggest
from t2iflow.pipelines.graph.continued import BEFORE
from t2iflow.pipelines.graph.formula import LIKELY
from t2iflow.pipelines.graph.schedule import Ease, Keyframes, Moment, Over
from t2iflow.pipelines.problems import Problems
from t2iflow.pipelines.text.dollars import Wire
from t2iflow.pipelines.text.located import Located
from t2iflow.pipelines.text.yaml_scalars import plain_scalar
from t2iflow.pipelines.values import shown

WORDS = ("ease", "over", BEFORE)
AT = re.compile(r"(\d+(?:\.\d+)?(?:\s*[%s])?)\s*:\s*(?:\(\s*)?([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*\)?")
"""One keyframe of a text, such as `50:(1.02)`."""
WRITTEN = re.compile(r"(?P<at>\d+(?:\.\d+)?(?:\s*[%s])?)\s*:\s*(?P<value>\S.*)", re.DOTALL)
"""The same with a formula: `50:(1.02*sin(t/10))`."""

OTHER = re.compile(r":|^\s*[-+]?\d[\d.,]*\s*[^\W\d]+\.?\s*$")
"""What is no formula: `16:9`, `50 steps`."""

TIME = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+))\s*(%|s)")


def is_keyframes(value: Located) -> bool:
    """Whether a value is meant as keyframes: a mapping with a number, a percentage or seconds among its keys.

    A prompt that is a number has quotes: `{"1984": 1}`.
    """
    inner = value.value
    return isinstance(inner, dict) and (any(_moment(key) is not None for key in inner) or _has_quoted_times(inner))


def _has_quoted_times(inner: Mapping[Any, Located]) -> bool:
    """Whether prompts stand at steps in quotes, as Deforum's `{"0": "a fox", "50": "a lake"}`; no weight is a text."""
    return are_times(inner) and all(isinstance(item.value, str) for item in inner.values())


def are_times(inner: Mapping[Any, Located]) -> bool:
    """Whether the keys of a mapping are whole numbers in quotes, as JSON has them, and words of keyframes."""
    times = [key for key in inner if key not in WORDS]
    return bool(times) and all(isinstance(key, str) and key.isdecimal() for key in times)


def written_out(value: Located) -> Located | None:
    """The keyframes that a text spells out, as Deforum's `0:(1.02), 50:(1.0)` or, in quotes, `{0: 1.02, 50: 1.0}`; None
    for any other text, such as `16:9`."""
    text = value.value
    parts = list(_parts(text, *_inside(text)))
    pairs = [WRITTEN.fullmatch(text, start, end) for start, end in parts]
    if not (text.strip().startswith("{") or "(" in text or len(pairs) > 1):
        return None
    values: dict[Any, Located] = {}
    for pair in pairs:
        if pair is None:
            return None
        values[plain_scalar(pair["at"])] = _spelt(value, pair)
    return Located(values, value.place, dict.fromkeys(values, value.place))


def _inside(text: str) -> tuple[int, int]:
    """From where to where a text is without the braces around it."""
    braced = text.strip().startswith("{") and text.strip().endswith("}")
    return (text.index("{") + 1, text.rindex("}")) if braced else (0, len(text))


def _parts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """From where to where a text goes between those commas that stand in no brackets, without spaces around."""
    depth, first = 0, start
    for at in (*range(start, end), end):
        sign = text[at] if at < end else ","
        depth += (sign == "(") - (sign == ")")
        if at == end or (sign == "," and not depth):
            part = text[first:at]
            yield first + len(part) - len(part.lstrip()), at - len(part) + len(part.rstrip())
            first = at + 1


def _spelt(value: Located, pair: re.Match[str]) -> Located:
    """The number or formula of one keyframe of a text, at its place."""
    start, written = pair.start("value"), pair["value"]
    while written.startswith("(") and written.endswith(")") and _closes_last(written):
        inner = written[1:-1]
        start += 1 + len(inner) - len(inner.lstrip())
        written = inner.strip()
    number = plain_scalar(written.replace(" ", "") if written[:1] in "+-" else written)
    return Located(number, value.place.part(value.value, start, max(1, len(written))))


def _closes_last(text: str) -> bool:
    """Whether the bracket that a text begins with is closed by its last one."""
    depth = 0
    for at, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if not depth:
            return at == len(text) - 1
    return False


def read_keyframes(value: Located, problems: Problems) -> Keyframes | None:
    """Read keyframes whose values are still located, for their setting and `check_blend` to check; None when none is
    left.

    What is wrong is added to `problems`, each at its own place.
    """
    reading = _Reading(value, problems)
    points = reading.points()
    ease: Ease = reading.word("ease", get_args(Ease)) or "linear"
    over: str | None = reading.word("over", get_args(Over))
    return Keyframes(tuple(points), ease, over) if points else None


def check_blend(keyframes: Keyframes, problems: Problems) -> None:
    """Check that located values, each of which its setting takes, lead from one to the next: all need the form of the
    first, and equal factors numbers above zero."""
    values = [value for _, value in keyframes.points]
    unlike = [value for value in values if not _alike(value, values[0])]
    for value in unlike:
        first, here = form(values[0]), form(value)
        message = f"all keyframes of a setting need the same form: first {first}, here {here}"
        problems.add("T2I207", message, value.place)
    for value in values if keyframes.ease == "exponential" and not unlike else ():
        parts = value.value if isinstance(value.value, list) else [value]
        if not all(is_formula(part) or (isinstance(part.value, int | float) and part.value > 0) for part in parts):
            problems.add("T2I207", "`ease: exponential` multiplies, so it needs numbers above 0", value.place)


@dataclass
class _Reading:
    value: Located
    problems: Problems

    def points(self) -> list[tuple[Moment, Located]]:
        """The sound keyframes, in order of time where that can be known before the number of steps is."""
        points: list[tuple[Moment, Located]] = []
        for key, item in self.value.value.items():
            moment = _moment(plain_scalar(key) if isinstance(key, str) else key)  # JSON has quotes around every key
            if moment is None:
                if key not in WORDS:
                    self._report(
                        key,
                        f"`{key}` is no keyframe",
                        suggest(key, WORDS),
                        "write a step or frame, a percentage (50%) or seconds (2s)",
                    )
            elif moment.amount < 0 or not math.isfinite(moment.amount):
                self._report(key, f"the keyframe at `{key}` is never reached", "time counts from 0")
            elif moment.unit == "%" and moment.amount > 100:
                self._report(key, f"the keyframe at `{key}` is never reached", "100% is the last")
            elif any(_same(moment, other) for other, _ in points):
                self._report(key, f"two keyframes at `{key}`", None)
            else:
                points.append((moment, item))
        if len({moment.unit for moment, _ in points if moment.amount}) < 2:
            points.sort(key=lambda point: point[0].amount)
        return points

    def word(self, name: str, known: tuple[Any, ...]) -> Any:
        """What `ease:` or `over:` says, if it says something known."""
        said = self.value.value.get(name)
        if said is None or said.value in known:
            return said.value if said else None
        if name == "over" and isinstance(said.value, Wire) and not said.value.port:
            return said.value.node  # an optimiser, as clocks see to
        choices = f"{name} is one of {', '.join(known)}"
        message = f"`{name}` can't be {shown(said.value) if isinstance(said.value, str) else form(said)}"
        self.problems.add("T2I207", message, said.place, suggest(said.value, known), choices)
        return None

    def _report(self, key: Any, message: str, *hints: str | None) -> None:
        place = self.value.keys.get(key, self.value.place)
        self.problems.add("T2I207", message, place, *hints)


def _moment(key: Any) -> Moment | None:
    if isinstance(key, int | float) and not isinstance(key, bool):
        return Moment(float(key)) if abs(key) <= sys.float_info.max else None
    match = TIME.fullmatch(key) if isinstance(key, str) else None
    return Moment(float(match[1]), "%" if match[2] == "%" else "s") if match else None


def _same(one: Moment, other: Moment) -> bool:
    return one.amount == other.amount and (one.unit == other.unit or one.amount == 0)


def is_formula(item: Located) -> bool:
    """Whether a value is meant as a formula, where a number may stand."""
    text = item.value
    return isinstance(text, str) and not OTHER.search(text) and LIKELY.search(text) is not None


def _alike(one: Located, other: Located) -> bool:
    """Whether values can be blended: both of one form, or a number and a formula."""
    if isinstance(one.value, list) and isinstance(other.value, list) and len(one.value) == len(other.value):
        return all(map(_alike, one.value, other.value)) or form(one) == form(other)
    return form(one) == form(other) or all(form(item) == "a number" or is_formula(item) for item in (one, other))


def form(item: Located) -> str:
    """What a value is, in words; those of one setting must be alike."""
    inner = item.value
    if isinstance(inner, bool):
        return "true or false"
    if isinstance(inner, int | float):
        return "a number"
    if isinstance(inner, list) and inner and all(form(part) == "a number" for part in inner):
        return f"{len(inner)} numbers"
    if isinstance(inner, str | list | dict):
        return "a text"
    return "nothing" if inner is None else "a wire"
