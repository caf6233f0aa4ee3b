"""Finds words that CONTRIBUTING's glossary has better ones for, in docs, comments, docstrings and messages.

    python tools/words.py [FILE...]

prints file:line:column, the words and what to write instead, and exits with 1 if it finds any. A space in the tables
matches any gap: a line break, or the quotes between two parts of a string.
"""

import argparse
import io
import os
import re
import sys
import tokenize
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from t2iflow.nodes.core.blame import LAYERS

ROOT = Path(__file__).parents[1]
PLACES = ["*.md", "Makefile", "tools/*.py", "runner/**/*.html"]  # not examples/: recipes keep their bytes
PLACES += [f"{folder}/**/*.py" for folder in LAYERS]
PLACES += [f"{folder}/*.{kind}" for folder in ("docs", "training", "benchmarks") for kind in ("md", "py")]
LEFT_OUT = {"words.py", "nodes.md", "errors.md"}
PROSE = {"COMMENT", "STRING", "FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END"}

WORDS = {
    r"told|telling|tells? of|tells?": "reports, prints, shows, says, knows",
    r"com(es?|ing) along|came along|go(es)? along": "bundled, included, kept",
    r"can(not|'t) be so": "these conflict",
    r"(can't|cannot|can|could|to) be had": "available, unavailable",
    r"(nodes?|recipe|device)( that| may)? ask(s|ed)? for|asks for at most": "needs, requires, uses, requested",
    r"wants?|wanted:": "needs, requires, expects",
    r"(took|takes?|taking) no part": "held-out",
    r"says? (it )?otherwise": "overrides this",
    r"(is|are|was|were|be) found out": "is inferred, is detected",
    r"in one go": "at once",
    r"yours to know": "unknown",
    r"which there are|that there (is|are) not": "that exist; list all",
    r"looks? on|(is|are) looked into": "watches, shows; is searched",
    r"(is|was|were|are|be)( not)? at hand": "available",
    r"(is|are)( not)? heeded": "respected, ignored",
    r"held against": "compared with, checked against",
    r"stands? twice": "appears twice, is a duplicate",
    r"(is|are)( not|n't) there": "missing, not found, doesn't exist",
    r"mend(s|ed|ing)?": "fix",
    r"at the (most|least)": "at most, at least",
    r"of one's own": "your own, custom",
    r"so many (frames|steps|seconds|bytes|pixels|pictures)": "this many",
    r"by chance": "at random",
    r"goes on (at|where|from)": "continues, resumes",
    r"the person|to a person": "the user",
    r"reckon\w*": "compute, estimate",
}
"""Words, and what to write instead."""

RIGHT = [
    r"(to|can|can't|cannot|not|could|couldn't) tell",
    r"(tells?|told)( [^\s.;:]+){,6} (apart|from)|tells? [^\s.;:]+( [^\s.;:]+)? to|stor(y|ies) told|tell stories",
    r"(you|they|we|who|users?|readers?|authors?|writers?|people|some(one|body)|nobody|one) wants?|wants? to",
    r"(are|is)( not|n't) there (yet|a|an|any)|so many \w+ that|the person (who|running)",
]
"""Right uses of the same words."""


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(r"\b(?:" + words.replace(" ", r"\s+") + r")\b", re.IGNORECASE)


ALLOWED = _pattern("|".join(RIGHT))
PATTERNS = [(_pattern(words), instead) for words, instead in WORDS.items()]


def found(path: Path) -> Iterator[str]:
    """A line for each place with a word that has a better one."""
    text = path.read_text("utf-8")
    text = _of_python(text) if path.suffix == ".py" else re.sub(r"```.*?```|`[^`\n]*`", _masked, text, flags=re.DOTALL)
    text = ALLOWED.sub(_masked, text)
    for at, words, instead in sorted((hit.start(), hit[0], new) for old, new in PATTERNS for hit in old.finditer(text)):
        line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
        yield f'{os.path.relpath(path, ROOT)}:{line}:{column}: "{" ".join(words.split())}": {instead}'


def _of_python(text: str) -> str:
    """Comments and strings in their places, their quotes as spaces, and everything else masked."""
    rows = [0, 0, *accumulate(map(len, io.StringIO(text)))]
    shown = list(re.sub(r"\S", "\0", text))
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if tokenize.tok_name[token.type] in PROSE:
            start, end = (rows[row] + column for row, column in (token.start, token.end))
            words = re.sub(r"^[rbf]*['\"]+|['\"]+$|#", lambda quotes: " " * len(quotes[0]), text[start:end], flags=re.I)
            shown[start:end] = re.sub(r"\{[^{}]*\}|`[^`]*`", _masked, words)
    return "".join(shown)


def _masked(match: re.Match[str]) -> str:
    return re.sub(r"\S", "\0", match[0])


if __name__ == "__main__":
    every = (path for place in PLACES for path in sorted(ROOT.glob(place)) if path.name not in LEFT_OUT)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="all files of the project if none is given")
    given = parser.parse_args().files
    if missing := [str(path) for path in given if not path.is_file()]:
        parser.error(f"no such file: {', '.join(missing)}")
    lines = [line for path in given or every for line in found(path)]
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.exit(bool(lines))
