"""Prompts: the forms that recipes, `--set` and story files may give them, and the one notation for weights in a text.

`a fox:2 | fog:-1` is the notation of the VQGAN+CLIP notebooks (Crowson 2021), pixray and PyTTI. Numbers follow colons
in plain English too: "10:30", "16:9", "Blade Runner: 2049". So how a text with a colon was read is always reported.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from t2iflow.nodes.core.texts import JOINERS, quoted, shortened

FORMS = "a prompt is a text, a list of texts, or a mapping of texts to weights such as {a fox: 1, fog: -0.4}"
MOST = 1000
"""Phrases in one prompt."""
LISTED = 8
"""Phrases of a prompt that are listed."""

SURROGATE = re.compile("[\ud800-\udfff]")
"""What bytes that are not UTF-8 become on a command line."""

COLON, BAR = "[:\uff1a]", "[|\uff5c]"
"""The signs of the notation, also as keyboards for Chinese and Japanese have them."""
NUMBER = r"[-+\u2212\u2013]?(?:(?:0|[1-9]\d{0,2})(?:\.\d*)?|\.\d+)"
"""A weight: below 1000 and without further zeros in front, unlike years and film titles (2049, 007)."""
WEIGHTED = re.compile(
    rf"(?P<text>.*?)(?P<before>\s*){COLON}(?P<after>\s*)(?P<weight>{NUMBER})(?:\s*{COLON}\s*(?P<stop>{NUMBER}))?"
)
WORD = re.compile(r".*[\d:\uff1a]|.*://\S*|[\[{][^\]}]*")
"""A text that a colon goes on with: a time, a ratio, an address, `::`, or brackets that are never closed."""

NOTATION = re.compile(r"[:|\uff1a\uff5c]|^\s*[\[{]")
"""What a text may hold that could be read in more than one way."""
BRACKETS = re.compile(r"[\[{](?:[^\]}]*|.*[\]}])", re.DOTALL)
"""What is meant as a list or mapping: brackets that are never closed, or closed at the end."""
WILDCARD = re.compile(r"(?<!\$)\{(?:@([^{}|]+)|([^{}]*\|[^{}]*))\}")
"""The innermost of what a sweep draws one of: the name of a file, `{@animals.txt}`, or alternatives, `{red|blue}`;
`${name}` is neither."""
SIGNS = re.compile("[,:|]")
"""What makes a text need quotes in a list of phrases."""

UNREAD = {
    "weights between commas": re.compile(r"\w:\s?[-+]?\d*\.\d+\s*,"),
    "a comma in a weight": re.compile(r"\w:[-+]?\d+,\d+$"),
    "a minus before a word": re.compile(r"(?:^|[\s,])-(?=[^\W\d_]{2})"),
    "weights in brackets": re.compile(r"[(\[][^()\[\]]*[^()\[\]\d:]:\s*[-+]?\d*\.?\d+\s*[)\]]"),
    "`::`": re.compile(r"\w\s*::"),
    "an option": re.compile(r"(?:^|\s)--[a-z]+\b"),
}
"""What other tools would read as an instruction, and is read as words here."""


class UnquotedError(ValueError):
    """What stands where a text should, and reads as a number or as true or false."""

    def __init__(self, value: float, why: str) -> None:
        super().__init__(why)
        self.value = value


class Phrase(NamedTuple):
    """A text to draw the picture towards, or with a negative weight away from it; until a loss of `stop`, if any."""

    text: str
    weight: float = 1.0
    stop: float | None = None

    def __str__(self) -> str:
        """As it is reported: `a fox x 2`."""
        text = quoted(self.text) if SIGNS.search(self.text) else shortened(self.text)
        stop = "" if self.stop is None else f" until {self.stop:g}"
        return f"{text} x {self.weight:g}{stop}"


def read_prompt(prompt: object) -> list[Phrase]:
    """The phrases of a prompt in any of its forms, each text once; ValueError where it asks for nothing."""
    phrases: dict[tuple[str, float | None], float] = {}
    for text, weight, stop in _phrases(prompt):
        phrases[text, stop] = phrases.get((text, stop), 0.0) + weight
    if not phrases:
        raise ValueError(f"a prompt needs words; {FORMS}")
    if len(phrases) > MOST:
        raise ValueError(f"a prompt of {len(phrases)} texts; at most {MOST} are read")
    for (text, _), weight in phrases.items():
        if weight == 0:
            raise ValueError(f"{quoted(text)} has weight 0, so it does nothing; leave it out")
    return [Phrase(text, weight, stop) for (text, stop), weight in phrases.items()]


def checked(prompt: Any) -> Any:
    """The prompt itself; ValueError where it is none."""
    read_prompt(prompt)
    return prompt


def single(prompt: str) -> str:
    """The prompt itself; ValueError where it is not one text, for what knows no weights."""
    phrases = read_prompt(prompt)
    if len(phrases) > 1 or phrases[0].weight != 1 or phrases[0].stop is not None:
        raise ValueError(f"this takes one text without a weight, but it reads as {_listed(phrases)}")
    return prompt


def worded(text: str) -> str:
    """The text itself; ValueError where it has no words."""
    words(text)
    return text


def reading(prompt: object, phrases: Sequence[Phrase]) -> str | None:
    """How a prompt was read, in words; None for a text in which nothing could be read in another way."""
    if isinstance(prompt, str) and not NOTATION.search(prompt):
        return None
    return f"read as: {_listed(phrases)}"


def doubt(prompt: object, phrases: Sequence[Phrase]) -> str | None:
    """A warning where a text holds the notation of YAML, or of another tool, that could not be read as such."""
    if isinstance(prompt, str) and BRACKETS.fullmatch(prompt.strip()):
        return f"{quoted(prompt)} begins with a bracket, but is not a list or mapping in YAML, so it is read as a text"
    if isinstance(prompt, str) and (found := WILDCARD.search(prompt)):
        return f"a sweep or `best` picks one alternative of {quoted(found[0])}; a single run takes it literally"
    for text, *_ in phrases:
        for what, form in UNREAD.items():
            if form.search(text):
                return f"{what} in {quoted(text)}: read as words; weights are written `a fox:2 | fog:-1`"
    return None


def _listed(phrases: Sequence[Phrase]) -> str:
    more = [f"and {len(phrases) - LISTED} more"] * (len(phrases) > LISTED)
    return ", ".join([*map(str, phrases[:LISTED]), *more])


def words(text: str) -> str:
    """A text on one line, without control characters; ValueError where nothing is left, or bytes are no letters."""
    if SURROGATE.search(text):
        raise ValueError(f"{quoted(text)} is not UTF-8 text")
    kept = "".join(sign if sign.isprintable() or sign in JOINERS else _stand_in(sign) for sign in text)
    if not kept.strip(JOINERS + " "):
        raise ValueError("a prompt needs words")
    return " ".join(kept.split())


def _stand_in(sign: str) -> str:
    """Nothing for a sign that only formats, such as a soft hyphen; else a space."""
    return "" if unicodedata.category(sign) == "Cf" else " "


def _phrases(prompt: object) -> Iterator[Phrase]:
    if isinstance(prompt, str):
        yield from _noted(prompt)
    elif isinstance(prompt, Mapping):
        for text, weight in prompt.items():
            yield Phrase(words(str(text)), _weight(str(text), weight))
    elif isinstance(prompt, list | tuple):
        for item in prompt:
            if not isinstance(item, str | Mapping):
                raise _no_text(item, f"{_called(item)} in a list of prompts is not a text")
            yield from _phrases(item)
    else:
        raise _no_text(prompt, FORMS)


def _no_text(value: object, why: str) -> ValueError:
    return UnquotedError(value, why) if isinstance(value, int | float) else ValueError(why)


def _noted(prompt: str) -> Iterator[Phrase]:
    """The phrases of a text in the notation."""
    text = words(prompt)
    parts = [part.strip() for part in re.split(BAR, text)]
    if not any(parts):
        yield Phrase(text)
        return
    for part in parts:
        phrase = _weighted(part)
        if not phrase.text:
            scenes = "; scenes are what `clip.story` takes" if "||" in text else ""
            raise ValueError(f"a prompt needs words before its weight and on both sides of ` | `{scenes}")
        yield phrase


def _weighted(part: str) -> Phrase:
    """A text with the weight at its end, if that is one."""
    found = WEIGHTED.fullmatch(part)
    if found is None or (not found["before"] and WORD.fullmatch(found["text"])):
        return Phrase(part)
    if found["stop"] and found["after"] and not found["before"]:  # as in "it says: 10:30"
        return Phrase(part)
    return Phrase(found["text"], _number(found["weight"]), _number(found["stop"]) if found["stop"] else None)


def _number(text: str) -> float:
    return float(text.replace("\u2212", "-").replace("\u2013", "-"))


def _weight(text: str, weight: object) -> float:
    """A weight of a mapping; ValueError where it is no number."""
    if weight is None:
        if "|" in text:
            raise ValueError(
                f"the weight of {quoted(text)} is missing; to draw one of them in a sweep, write '{{{text}}}'"
            )
        meant = _weighted(text)  # {a fox:2} is a text without a weight to YAML, which needs a space
        raise ValueError(
            f"the weight of {quoted(text)} is missing; write {{{shortened(meant.text)}: {meant.weight:g}}}"
        )
    if isinstance(weight, Mapping):
        raise ValueError(
            f"the weight of {quoted(text)} is a mapping; keyframes hold whole prompts: {{0: {{a fox: 1}}}}"
        )
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not abs(weight) < float("inf"):
        raise ValueError(f"the weight of {quoted(text)} is {_called(weight)}, not a number")
    return float(weight)


def _called(value: object) -> str:
    """A value in words."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping | list):
        return "a mapping" if isinstance(value, Mapping) else "a list"
    return quoted(value) if isinstance(value, str) else shortened(str(value))
