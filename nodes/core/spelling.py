"""Names that are spelt nearly alike, for messages about names that nothing has."""

import difflib
from collections.abc import Iterable
from itertools import islice


def near(name: str, known: Iterable[str], most: int = 1, alike: float = 0.6) -> list[str]:
    """The known names that are spelt most like this one, in capitals or not; `alike` is from 0 to 1, for the same."""
    folded = {one.lower(): one for one in known}
    return [folded[one] for one in difflib.get_close_matches(name.lower(), folded, most, alike)]


def suggest(name: object, known: Iterable[object], most: int = 1) -> str | None:
    """A question if something known is spelt nearly like the name; `square` also finds `cutouts.square`, and
    `square.cutouts` too."""
    names = [str(one) for one in islice(known, 300)]
    wanted = str(name).lower()[:64]
    found = _swapped(wanted, names) or _within(wanted, names)[:1] or near(wanted, names, most)
    return f"did you mean {' or '.join(f'`{one}`' for one in found)}?" if found else None


def _swapped(wanted: str, names: list[str]) -> list[str]:
    """The name whose halves are these, the other way round."""
    first, dot, last = wanted.partition(".")
    return near(f"{last}.{first}", names, alike=0.9) if dot and first != last else []


def _within(wanted: str, names: list[str]) -> list[str]:
    """The names that end in the same word, the likest first."""
    word = wanted.rpartition(".")[2]
    found = [one for one in names if wanted and one.lower().rpartition(".")[2] == word]
    return sorted(found, key=lambda one: -difflib.SequenceMatcher(None, one.lower(), wanted).ratio())
