"""What settings refer to outside the recipe: files to read, weights of generators, and perceptors."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.missing import MissingPackageError
from t2iflow.nodes.core.node import Setting
from t2iflow.nodes.core.spelling import near, suggest
from t2iflow.nodes.film import decoder, scenes, sound
from t2iflow.nodes.film.formats import OnlySoundError
from t2iflow.nodes.perceptors import embeddings
from t2iflow.nodes.perceptors.clip import sources
from t2iflow.nodes.pictures import codec
from t2iflow.nodes.weights import registry
from t2iflow.nodes.weights.families import beside, called, incomplete, lacking
from t2iflow.nodes.weights.records import Record
from t2iflow.pipelines.graph.graph import COPIED, Graph, Resource
from t2iflow.pipelines.problems import Place, Problem, Problems
from t2iflow.pipelines.text.origin import INPUTS, Origin
from t2iflow.pipelines.text.yaml_scalars import LONE

ADDRESS = re.compile("(?:https?|ftp|file|data|s3):", re.IGNORECASE)
DOWNLOAD = "addresses are not read: download the file, and give its path"
PATTERN = re.compile(r"%\d*d|\*")
"""What stands for the numbers of many files."""
NOTHING = ("none", "off", "no", "false", "nil")
"""How other tools write null."""


def find(name: str, setting: Setting, origin: Origin, place: Place, param: str, problems: Problems) -> Resource | None:
    """What a setting names, by its whole path, relative paths from the origin's folder on; known names are kept.

    None for a file that is missing, is of another kind, or is none that a foreign recipe may read. What a picture's
    recipe may have lost on its way is not looked for: see `missing`. `param` is what `--set` gives another by.
    """
    resource = _Finding(name, setting, origin, place, param, problems).resource()
    if resource and LONE.search(resource.name):  # no recipe could hold it
        what = f"the path of `{name}` has bytes that are not UTF-8"
        problems.add("T2I502", what, place, "rename it, or its folders")
        return None
    return resource


def missing(graph: Graph) -> Iterator[Problem]:
    """What a picture's recipe was made with and is not here, which only a run needs."""
    for one in graph.resources:
        if one.missing:
            beside = [f"or put it into a folder `{INPUTS}` beside the picture"] if one.kind in COPIED else []
            are = "are" if one.kind == "weights" else "is"
            what = f"the {one.kind} `{one.short}`, from which this was made, {are} missing"
            yield Problem("T2I502", what, one.place, (f"give it, or another: {one.option}", *beside))


SHRINK = "shrink it: `magick {} -resize 8192x8192 {}`"
"""What to do about a picture that is too large."""


@dataclass(frozen=True)
class Kind:
    """A kind of file: what refuses another with ValueError, and what to do about it."""

    look: Callable[[Path], object]
    make: str
    ending: str = ""

    def instead(self, path: Path, fault: ValueError) -> str | None:
        """What to do about a file that is refused."""
        if isinstance(fault, OnlySoundError):
            return None
        if isinstance(fault, codec.DamagedError):
            return "no conversion fixes it: copy, download or export it again"
        make = SHRINK if isinstance(fault, codec.TooLargeError) else self.make
        fresh = path.stem + self.ending
        fresh = f"{path.stem}-new{self.ending}" if fresh.lower() == path.name.lower() else fresh
        return make.format(quote(path.name), quote(fresh))


KINDS = {
    "picture": Kind(codec.look, "convert it: `magick {} {}`", ".png"),
    "film": Kind(decoder.look, "convert it: `ffmpeg -i {} {}`", ".mp4"),
    "sound": Kind(sound.look, "convert it: `ffmpeg -i {} {}`", ".wav"),
    "text": Kind(scenes.text, "save it as plain text in UTF-8"),
    "embedding": Kind(embeddings.read, "save it by `numpy.save`, or by `torch.save` as a tensor"),
}


@dataclass
class _Finding:
    name: str
    setting: Setting
    origin: Origin
    place: Place
    param: str
    problems: Problems

    def resource(self) -> Resource | None:
        """What the name means."""
        if self.setting.reads == "perceptor":
            return self._perceptor()
        if not self.name.strip():
            code, what = ("T2I411", "weights are") if self.setting.loads else ("T2I502", "file is")
            self._report(code, f"no {what} named")
            return None
        if self.setting.loads:
            return self._weights(self.setting.loads)
        if self.setting.reads not in COPIED and not self._takes_weights():
            return self._lost()
        return self._file(self.name)

    def _weights(self, family: str) -> Resource | None:
        if record := registry.find(self.name):
            self._check_named(record, family)
            return self._resource(self.name)
        near = suggest(self.name, (known.name for known in registry.every() if known.family == family))
        if not self._takes_weights(near, _known(family)):
            return self._lost()
        path = self._path(self.name)
        why = paths.nothing(path)
        if why == paths.MISSING:
            start = DOWNLOAD if ADDRESS.match(self.name) else f"or a folder or file; {self._start}"
            self._report("T2I411", f"unknown weights `{self.name}`", near, _known(family), start)
        elif why:
            self._report("T2I411", f"the weights `{self.name}` {why}")
        else:
            self._check_files(path, family)
        return self._resource(self.name if why else str(path))

    def _check_named(self, record: Record, family: str) -> None:
        """Report weights that have this name and are no whole ones of the family."""
        if record.family != family:
            what = f"`{self.name}` are {record.family} weights, not {family} weights"
            self._report("T2I411", what, _known(family))
        elif absent := lacking(family, record.files):
            add = f"`t2iflow weights add {self.name} FILE` adds what is missing"
            self._report("T2I411", incomplete(self.name, family, absent), add)

    def _check_files(self, path: Path, family: str) -> None:
        """Report a file or folder that has no whole weights of the family."""
        try:
            files = beside(path, family)
            if not files:
                what = f"there are no {family} weights in `{self.name}`"
                self._report("T2I411", what, f"they are called: {called(family)}")
            elif absent := lacking(family, files):
                self._report("T2I411", incomplete(self.name, family, absent))
        except ValueError as fault:
            self._report("T2I411", str(fault))

    def _perceptor(self) -> Resource | None:
        """A perceptor by name, or a file, alone or as `architecture:file`."""
        if not self.name.endswith(sources.FILES):
            return self._resource(self.name)
        if not self._takes_weights():
            return self._lost()
        architecture, _, file = self.name.rpartition(":")
        if not architecture or os.path.isfile(self._path(self.name)):
            return self._file(self.name)
        resource = self._file(file)
        return resource and replace(resource, name=f"{architecture}:{resource.name}")

    def _takes_weights(self, *hints: str | None) -> bool:
        """Whether weights may be named by a file; that a picture's recipe may not is said when it runs."""
        if self.origin.fence and not self.origin.carried:
            self._refuse(
                f"this recipe is foreign, so it may not name weights by a file, and none are called `{self.name}`",
                *hints,
            )
        return self.origin.fence is None

    def _lost(self) -> Resource | None:
        """What a picture's recipe names without having it."""
        return replace(self._resource(self.name), missing=True) if self.origin.carried else None

    def _file(self, name: str) -> Resource | None:
        path = self._path(name)
        if not self.origin.admits(path):
            self._refuse(f"this recipe is foreign, so it may not read `{name}`", self.origin.rule)
            return None
        why = paths.no_content(path)
        if self.origin.carried and why == paths.MISSING:
            return replace(self._resource(str(path)), missing=True)
        if why:
            meant = self._guess(name, path) if why == paths.MISSING else None
            absolute = os.path.isabs(os.path.expanduser(name))
            start = self._start if why == paths.MISSING and not absolute else None
            self._report("T2I502", f"the file `{name}` {why}", meant, start)
            return None
        kind = KINDS.get(self.setting.reads or "")
        try:
            if kind:
                kind.look(path)
        except MissingPackageError as fault:
            self._report("T2I502", f"the file `{name}` can't be read: {fault}")
            return None
        except OSError as fault:
            self._report("T2I502", f"the file `{name}` {paths.reason(fault)}")
            return None
        except ValueError as fault:
            self._report("T2I502", str(fault), kind.instead(path, fault) if kind else None)
            return None
        return self._resource(str(path))

    def _guess(self, name: str, path: Path) -> str | None:
        """What a name that no file has is likely to stand for."""
        if {*"\n\t"} & {*name}:
            return "in double quotes `\\n` and `\\t` are control characters: use single quotes"
        if ADDRESS.match(name):
            return DOWNLOAD
        if PATTERN.search(name) and self.setting.reads == "film":
            return f"make the pictures into a film first: `ffmpeg -framerate 24 -i {quote(name)} film.mp4`"
        if name.lower() in NOTHING and self.setting.default is None and not self.setting.required:
            return "for nothing, write `null`"
        if (bare := name.strip(" \"'")) != name and os.path.isfile(self._path(bare)):
            return f"did you mean `{bare}`, without quotes or spaces around it?"
        if self.origin.fence:  # what lies in a folder is not for a foreign recipe to ask
            return None
        nearest = _nearest(path.name, paths.beside(path))
        return nearest and f"did you mean `{nearest}`?"

    def _path(self, name: str) -> Path:
        return paths.real(name, paths.real(self.origin.folder))

    @property
    def _start(self) -> str:
        return f"relative paths start at `{paths.real(self.origin.folder)}`"

    def _resource(self, name: str) -> Resource:
        return Resource(name, self.setting.reads or "weights", self.place, self.param)

    def _refuse(self, message: str, *hints: str | None) -> None:
        self._report("T2I503", message, *hints, f"allow it yourself: `--set {self.param}=PATH`", self.origin.remedy)

    def _report(self, code: str, message: str, *hints: str | None) -> None:
        self.problems.add(code, message, self.place, *hints)


def _nearest(name: str, others: list[str]) -> str | None:
    """The file whose name differs least, as in its capitals, its ending, or a letter or two."""
    wanted = name.lower()
    same = [other for other in others if other.lower() == wanted]
    stem = sorted(other for other in others if Path(other.lower()).stem == Path(wanted).stem)
    return next(iter([*same, *stem, *near(wanted, reversed(others), alike=0.8)]), None)


def _known(family: str) -> str:
    names = [record.name for record in registry.every() if record.family == family]
    return f"known for {family}: {', '.join(names) or 'none'}"
