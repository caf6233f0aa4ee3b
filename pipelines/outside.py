"""What settings name outside of the recipe: files to read, and weights of generators."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from t2iflow.nodes import containers, paths
from t2iflow.nodes.node import Setting
from t2iflow.nodes.pictures import looks_like_picture
from t2iflow.nodes.scenes import looks_like_text
from t2iflow.nodes.store import finding, places
from t2iflow.nodes.weights import ROLES, called
from t2iflow.pipelines.problems import Place, Problem, suggest
from t2iflow.pipelines.source import LONE

Report = Callable[..., None]


def found(name: str, setting: Setting, folder: Path, place: Place, problems: list[Problem]) -> str | None:
    """The whole path of what a setting names, relative paths from the folder on; known weights keep their name.

    None for a file that is not there, or of another kind.
    """

    def report(code: str, message: str, *hints: str | None) -> None:
        problems.append(Problem(code, message, place, hints=tuple(hint for hint in hints if hint)))

    if setting.loads:
        path = _weights(name, setting.loads, paths.whole(folder), report)
    else:
        path = _file(name, setting.reads, paths.whole(folder), report)
    if path and LONE.search(path):  # no recipe could hold it
        report("T2I502", f"the way to `{name}` has bytes that are not UTF-8", "give its folders and it other names")
        return None
    return path


@dataclass(frozen=True)
class Kind:
    """A kind of file: what it is, how one is known, and what to do about another."""

    what: str
    is_one: Callable[[Path], object]
    instead: str | None = None


KINDS = {
    "picture": Kind("picture (PNG, JPEG or WebP)", looks_like_picture),
    "film": Kind(f"film ({containers.FILMS})", containers.film, "make it one: `ffmpeg -i {name} {stem}.mp4`"),
    "sound": Kind(f"sound ({containers.SOUNDS})", containers.sound, "make it one: `ffmpeg -i {name} {stem}.wav`"),
    "text": Kind("text (UTF-8, at most 1 MB)", looks_like_text, "save it as plain text"),
}


def _file(name: str, what: str | None, folder: Path, report: Report) -> str | None:
    path = paths.whole(name, folder)
    if why := paths.no_content(path):
        start = f"relative paths start at `{folder}`" if why == paths.MISSING else None
        report("T2I502", f"the file `{name}` {why}", start)
        return None
    kind = KINDS.get(what or "")
    try:
        if kind and not kind.is_one(path):
            instead = kind.instead and kind.instead.format(name=path.name, stem=path.stem)
            report("T2I502", f"the file `{name}` is no {kind.what}", instead)
            return None
    except OSError as fault:
        report("T2I502", f"the file `{name}` {paths.reason(fault)}")
        return None
    return str(path)


def _weights(name: str, family: str, folder: Path, report: Report) -> str | None:
    record = places.find(name)
    if record is not None:
        if record.family != family:
            what = f"`{name}` are weights of the family {record.family}, not of {family}"
            report("T2I411", what, _known(family))
        return name
    path = paths.whole(name, folder)
    why = paths.nothing(path)
    if why == paths.MISSING:
        near = suggest(name, (known.name for known in places.every() if known.family == family))
        start = f"or a folder or file; relative paths start at `{folder}`"
        report("T2I411", f"unknown weights `{name}`", near, _known(family), start)
        return name
    if why:
        report("T2I411", f"the weights `{name}` {why}")
        return name
    try:
        if not finding.beside(path, family, ROLES[family]):
            report("T2I411", f"there are no {family} weights in `{name}`", f"they are called: {called(family)}")
    except ValueError as fault:
        report("T2I411", str(fault))
    return str(path)


def _known(family: str) -> str:
    names = [record.name for record in places.every() if record.family == family]
    return f"known for {family}: {', '.join(names) or 'none'}"
