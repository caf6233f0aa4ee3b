"""PyYAML's errors, in terms of the file's author."""

import re

import yaml

QUOTES = "put quotes around the text"
ENDED = {
    "'": "if the text goes on after its `'`, write that twice, or put double quotes around all of it",
    '"': 'if the text goes on after its `"`, write `\\"`, or put single quotes around all of it',
}
"""What helps where a text in quotes has some in it, by its last letter as YAML reads it."""
FENCE = "```"
UNLISTED = "names stand without `- ` before them: `clip: {use: clip.model}`"
KEYFRAMES = "keyframes are a mapping, with a space after each `:`, such as `{0: 1.02, 50: 1.0}`"
INDENT = "a tab can't indent"
UNNAMED, NAME_IT = "a line without `:`", "write `key: value`"
KEY = re.compile(r"\s*[\w-]+\s*:(\s|$)")
NAMED = re.compile(r"\s*(?P<name>[\w-]+)(?P<colon>\s*:)?(?P<value>\s*[^\s#].*)?")
"""A line that begins as one of a mapping does."""
ODD = re.compile("(?:^ *|[\\w-]:)([\xa0\u1680\u2000-\u200b\u202f\u205f\u3000\ufeff])")
"""What looks like a space, or like nothing, where only a space can stand."""
DEFORUM = re.compile(r"\d\s*:\s*\(")
"""A keyframe as Deforum writes it."""
LONGEST_KEY = 1024
"""Letters that YAML reads before the `:` of a key that no `?` announces, with its quotes."""
COMPLAINTS = (
    ("sequence entries are not allowed", "a list begins on a line of its own", f"or write `[a, b]`, or {QUOTES}"),
    ("mapping keys are not allowed", "a text can't start with `?` and a space", QUOTES),
    ("that cannot start any token", "a text can't start with this character", QUOTES),
    ("mapping values are not allowed", "a `:` where no key can stand", f"{QUOTES}, or fix the indentation"),
    ("flow mapping: expected ',' or '}'", "a `,` or `}` is missing before this", f"or {QUOTES}"),
    ("flow sequence: expected ',' or ']'", "a `,` or `]` is missing before this", f"or {QUOTES}"),
    ("could not find expected ':'", UNNAMED, NAME_IT),
    (
        "expected escape sequence of",
        "this `\\` is followed by too few digits",
        "in double quotes, write two of them; or use single quotes",
    ),
    (
        "unknown escape character",
        "this `\\` means nothing",
        "in double quotes, write two of them; or use single quotes",
    ),
    ("undefined tag handle", "tags are not allowed", "put quotes around a text that starts with `!`"),
    ("scanning a block scalar", "after `|` or `>` the text starts on the next line", QUOTES),
    ("but found '}'", "this bracket closes nothing", "remove it"),
    ("but found ']'", "this bracket closes nothing", "remove it"),
    ("but found '<scalar>'", "something follows a complete value", QUOTES),
    (
        "expected <block end>",
        "this line's indentation doesn't match its neighbours'",
        "keys of one mapping start in one column",
    ),
    ("expected the node content", "a value is missing before this", QUOTES),
    ("incompatible YAML document", "this YAML version is unknown", "leave the `%YAML` line out"),
)
"""What PyYAML says, what it means, and what helps; the first that fits."""


def explain(fault: yaml.MarkedYAMLError, text: str, brackets: list[yaml.Mark]) -> tuple[str, yaml.Mark, str]:
    """What is wrong, where, and a hint (or an empty text); `brackets` are those that are open."""
    context, complaint = fault.context or "", fault.problem or "this is not YAML"
    mark, opening = fault.problem_mark, fault.context_mark
    assert mark is not None  # the scanner and the parser always say where
    if "could not find expected ':'" in complaint and opening:
        mark = opening  # where the key begins, not where its line is over
    lines = text.splitlines()
    for number in sorted({mark.line - 1, mark.line} & set(range(len(lines)))):
        if odd := ODD.search(lines[number]):
            what = f"this space is U+{ord(odd[1]):04X}, which YAML takes for a letter"
            return what, _mark(number, odd.start(1)), "write an ordinary space"
    if "character '\\t'" in complaint or "character '\\t'" in context:
        return ("a tab can't stand here" if lines[mark.line][: mark.column].strip() else INDENT), mark, "use spaces"
    if text[max(0, mark.index - 1) : mark.index + 1] == "${":
        return "`${` needs quotes here", mark, "write $name, or put quotes around the whole text"
    if opening and "quoted scalar" in context and "end of" in complaint:
        return "this quote is never closed", opening, ""
    if opening and "expected alphabetic" in complaint:  # an alias or an anchor without a name
        return f"a text can't start with `{text[opening.index]}`", opening, QUOTES
    if mark.column > LONGEST_KEY and text[mark.index : mark.index + 1] == ":":
        return f"the key before this `:` has more than {LONGEST_KEY:,} letters", mark, "put `? ` before the key"
    if brackets and "<stream end>" in complaint:
        return "this bracket is never closed", brackets[-1], ""
    if brackets and mark.line > brackets[-1].line and _begins_anew(text, mark, brackets[-1]):
        closing = {"{": "}", "[": "]"}[text[brackets[-1].index]]
        return f"this bracket is not closed: a `{closing}` is missing before line {mark.line + 1}", brackets[-1], ""
    if opening and "block end" in complaint and text[opening.index] == "-":
        return "a list among names", opening, UNLISTED
    if "block end" in complaint and text[mark.index] == "-":
        return "a list among names", mark, UNLISTED
    if DEFORUM.search(text[mark.index - mark.column :].partition("\n")[0]):
        return "keyframes without quotes", mark, KEYFRAMES
    if text[mark.index : mark.index + 1] == "," and "expected the node content" in complaint:
        return "a value is missing before this", mark, "write one, or take one `,` away"
    if "mapping values are not allowed" in complaint and re.fullmatch(r"\s*[\w-]+\s*", lines[mark.line][: mark.column]):
        blamed = _line_before(lines, mark)
        if blamed:
            return blamed
    if lines and lines[mark.line].lstrip().startswith(FENCE) and "cannot start" in complaint:
        return "this line is Markdown, not YAML", mark, f"leave the lines with {FENCE} out"
    known = ((words, hint) for pattern, words, hint in COMPLAINTS if pattern in f"{context}: {complaint}")
    words, hint = next(known, (complaint, ""))
    if QUOTES in hint:
        hint = ENDED.get(text[: mark.index].rstrip(" ")[-1:], hint)
    return words, mark, hint


def too_large(mark: yaml.Mark, text: str) -> tuple[str, yaml.Mark, str]:
    """What is wrong with a number that PyYAML was reading at a mark, where, and a hint: an escape's, or a version's."""
    if text[mark.index - 2 : mark.index] == "\\U":
        return "no letter has this number", _mark(mark.line, mark.column - 2), "write the letter itself"
    return "this number is too large", mark, "leave the `%YAML` line out"


def unspaced(name: str, value: str) -> tuple[str, str]:
    """What is wrong with a key that no space keeps from its value, and a hint."""
    return f"`{name}` must be followed by `:` and a space", f"write `{name}: {value}`"


def _line_before(lines: list[str], key: yaml.Mark) -> tuple[str, yaml.Mark, str] | None:
    """What is wrong with the line before that of a key, where YAML takes both for one text; None if nothing is."""
    number = next((at for at in range(key.line - 1, -1, -1) if lines[at].strip()), None)
    named = NAMED.fullmatch(lines[number]) if number is not None else None
    if number is None or named is None:
        return None
    name, value, mark = named["name"], named["value"] or "", _mark(number, named.start("name"))
    if not named["colon"]:
        return UNNAMED, mark, NAME_IT
    if value and not value[0].isspace():
        what, hint = unspaced(name, value)
        return what, mark, hint
    indented = len(lines[key.line]) - len(lines[key.line].lstrip())
    if value and indented > mark.column:
        what = f"this line is indented deeper than line {number + 1}, where `{name}` has a value already"
        return what, _mark(key.line, indented), "keys of one mapping start in one column"
    return None


def _mark(line: int, column: int) -> yaml.Mark:
    return yaml.Mark("", 0, line, column, None, 0)


def _begins_anew(text: str, mark: yaml.Mark, bracket: yaml.Mark) -> bool:
    """Whether the line of a mark reads as the next key of the mapping in which the bracket was opened, and closes no
    bracket but its own."""
    lines = text.splitlines()
    line, before = lines[mark.line], lines[bracket.line]
    indented = len(line) - len(line.lstrip())
    closes = any(line.count(end) > line.count(start) for start, end in ("{}", "[]"))
    return not closes and indented <= len(before) - len(before.lstrip()) and KEY.match(line) is not None
