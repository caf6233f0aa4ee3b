"""What PyYAML complains of, told in words of the person who wrote the file."""

import yaml

QUOTES = "put quotes around the text"
COMPLAINTS = (
    ("character '\\t'", "a tab can't indent", "use spaces"),
    ("that cannot start any token", "a text can't start with this sign", QUOTES),
    ("mapping values are not allowed", "a `:` where no key can stand", f"{QUOTES}, or mend the indentation"),
    ("flow mapping: expected ',' or '}'", "a `,` or `}` is missing before this", f"or {QUOTES}"),
    ("flow sequence: expected ',' or ']'", "a `,` or `]` is missing before this", f"or {QUOTES}"),
    ("could not find expected ':'", "a line without `:`", "write `key: value`"),
    (
        "unknown escape character",
        "this `\\` means nothing",
        "in double quotes, write two of them; or use single quotes",
    ),
    ("undefined tag handle", "tags are refused", "put quotes around a text that starts with `!`"),
    ("scanning a block scalar", "after `|` or `>` the text starts on the next line", QUOTES),
    ("but found '}'", "this bracket closes nothing", "take it away"),
    ("but found ']'", "this bracket closes nothing", "take it away"),
    ("but found '<scalar>'", "something follows a finished value", QUOTES),
    ("expected <block end>", "this line is indented unlike its neighbours", "keys of one mapping start in one column"),
    ("expected the node content", "a value is missing before this", QUOTES),
    ("incompatible YAML document", "this is a YAML version of the future", "leave the `%YAML` line out"),
)
"""What PyYAML says, what it means, and what helps; the first that fits."""


def explain(fault: yaml.MarkedYAMLError, text: str, brackets: list[yaml.Mark]) -> tuple[str, yaml.Mark, str]:
    """What is wrong, where, and a hint (or an empty text); `brackets` are those that are open."""
    context, complaint = fault.context or "", fault.problem or "this is not YAML"
    mark, opening = fault.problem_mark, fault.context_mark
    assert mark is not None  # the scanner and the parser always say where
    if text[max(0, mark.index - 1) : mark.index + 1] == "${":
        return "`${` needs quotes here", mark, "write $name, or put quotes around the whole text"
    if opening and "quoted scalar" in context and "end of" in complaint:
        return "this quote is never closed", opening, ""
    if opening and "expected alphabetic" in complaint:  # an alias or an anchor without a name
        return f"a text can't start with `{text[opening.index]}`", opening, QUOTES
    if brackets and "<stream end>" in complaint:
        return "this bracket is never closed", brackets[-1], ""
    known = ((words, hint) for pattern, words, hint in COMPLAINTS if pattern in f"{context}: {complaint}")
    words, hint = next(known, (complaint, ""))
    return words, mark, hint
