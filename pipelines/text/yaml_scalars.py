"""What an unquoted word means in YAML, and which characters a text can hold."""

import re

from t2iflow.pipelines.problems import Place, Problems

NULL = re.compile(r"|~|null|Null|NULL")
TRUE = re.compile(r"true|True|TRUE")
FALSE = re.compile(r"false|False|FALSE")
INTEGER = re.compile(r"[-+]?[0-9]{1,40}")
BASED = re.compile(r"0o[0-7]{1,40}|0x[0-9a-fA-F]{1,40}")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
"""A letter as JSON writes those beyond U+FFFF."""
LONE = re.compile("[\ud800-\udfff]")
"""Half of a pair of surrogates, which no file can hold."""


def plain_scalar(text: str) -> bool | int | float | str | None:
    """What an unquoted word means."""
    if NULL.fullmatch(text):
        return None
    if TRUE.fullmatch(text) or FALSE.fullmatch(text):
        return text[0] in "tT"
    if INTEGER.fullmatch(text):
        return int(text)
    if BASED.fullmatch(text):
        return int(text, 0)
    if FLOAT.fullmatch(text):
        return float(text)
    return float(text.replace(".", "")) if INFINITE.fullmatch(text) else text


def readable(text: str, place: Place, problems: Problems) -> str:
    """The text without signs that no text has, however they were written: terminals and files can't hold them."""
    text = PAIR.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)
    odd = UNPRINTABLE.search(text)
    if odd and LONE.match(odd[0]):
        message = "half a character, or a byte that is not UTF-8, can't stand in a text"
        problems.add("T2I101", message, place, "write it whole, as \\U0001f98a")
    elif odd:
        problems.add("T2I101", f"the character U+{ord(odd[0]):04X} can't stand in a text", place)
    return UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)
