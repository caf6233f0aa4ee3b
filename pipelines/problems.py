"""What can be wrong with a recipe, and how it is reported.

A mistake of the user is a value, gathered with all others of the recipe and raised once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from t2iflow.nodes.core.texts import first_of, in_line, shortened
from t2iflow.pipelines.excerpt import excerpt

USERS = 3
"""Settings or ports that a mistake in a param names."""
LONGEST = 500
"""Letters of a message or a hint."""


@dataclass(frozen=True)
class Place:
    """Where in a file; line and column count from 1, in characters."""

    file: str
    line: int
    column: int
    width: int = 1

    def part(self, text: str, start: int, width: int) -> "Place":
        """The place of a part of a text that stands here, where it stands as it is, with or without quotes."""
        quotes = self.width - len(text)
        if quotes not in (0, 2):
            return self
        return replace(self, column=self.column + quotes // 2 + start, width=width)


NOWHERE = Place("", 1, 1)
"""The place of a value that no file has."""


@dataclass(frozen=True)
class Problem:
    """One mistake: what is wrong, where, and hints, each a line. `subject` is the setting or port that the message
    begins with, if the value may stand elsewhere, in a param."""

    code: str
    message: str
    place: Place | None = None
    hints: tuple[str, ...] = ()
    subject: str = ""


class Problems(list[Problem]):
    """All mistakes found so far, handed from pass to pass."""

    def add(self, code: str, message: str, place: Place | None, *hints: str | None, subject: str = "") -> None:
        """One more, with those of the hints that there are."""
        self.append(Problem(code, message, place, tuple(hint for hint in hints if hint), subject))


class RecipeError(Exception):
    """All mistakes of a recipe, with the texts of the files that they are in; its text shows each at its place."""

    def __init__(self, problems: Iterable[Problem], sources: Mapping[str, str]) -> None:
        self.problems = tuple(problems)
        self.sources = sources
        super().__init__(self.problems, dict(sources))  # all that it is made of, so that processes can hand it on

    def __str__(self) -> str:
        return render(self.problems, self.sources)

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows in place of a traceback."""
        return [str(self)]


def joined(problems: Iterable[Problem]) -> list[Problem]:
    """The problems, but one for a value that is wrong in one way for several settings or ports; it names the others."""
    alike: dict[object, list[Problem]] = {}
    for one in dict.fromkeys(problems):
        key = (one.code, one.place, one.message.removeprefix(one.subject)) if one.subject else one
        alike.setdefault(key, []).append(one)
    return [_for_all(*same) for same in alike.values()]


def _for_all(first: Problem, *others: Problem) -> Problem:
    if not others:
        return first
    named = first_of([one.subject for one in others], USERS)
    return replace(first, hints=(*first.hints, f"likewise for {named}"))


def in_reading_order(problems: Iterable[Problem]) -> list[Problem]:
    """The problems as they stand in their files, those without a place last."""
    return sorted(problems, key=_position)


def _position(problem: Problem) -> tuple[bool, str, int, int]:
    place = problem.place
    return (False, place.file, place.line, place.column) if place else (True, "", 0, 0)


def render(problems: Sequence[Problem], sources: Mapping[str, str], *, limit: int = 20) -> str:
    """The problems as plain text, each with its source line and a caret; no more than `limit`, the rest counted."""
    different = list(dict.fromkeys(problems))
    blocks = ["\n".join(_block(problem, sources)) for problem in different[:limit]]
    if len(different) > limit:
        blocks.append(f"... and {len(different) - limit} more")
    return "\n\n".join(blocks)


def _block(problem: Problem, sources: Mapping[str, str]) -> Iterator[str]:
    place = problem.place
    source = sources.get(place.file) if place else None
    gutter = max(2, len(str(place.line))) if place and source is not None else 2
    yield f"error {problem.code} {_clean(problem.message)}"
    if place and source is None:
        yield f"{' ' * gutter}--> {_clean(place.file)}"
    elif place and source is not None:
        # An override is a source named by itself: an option, or what a program gives.
        at = f"{_clean(place.file)}:{place.line}:{place.column}"
        if source == place.file:
            at = "the command line" if source.startswith("--") else "the call"
        lines = source.splitlines()
        line = lines[place.line - 1] if place.line <= len(lines) else ""
        shown, carets = excerpt(line, place.column, place.width)
        yield f"{' ' * gutter}--> {at}"
        yield f"{' ' * gutter} |"
        yield f"{place.line:>{gutter}} | {shown}".rstrip()
        yield f"{' ' * gutter} | {carets}"
    for hint in problem.hints:
        yield f"{' ' * gutter} = {_clean(hint)}"


def _clean(text: str) -> str:
    """The text on one line, without control characters."""
    return in_line(shortened(text, LONGEST))
