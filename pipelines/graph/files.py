"""The files and weights that settings name, gathered as nodes are wired."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from t2iflow.nodes.core.node import Setting
from t2iflow.pipelines.graph import outside
from t2iflow.pipelines.graph.graph import Named
from t2iflow.pipelines.graph.music import SONG, Music
from t2iflow.pipelines.graph.schedule import changes
from t2iflow.pipelines.problems import Place, Problems
from t2iflow.pipelines.text.recipe import Recipe
from t2iflow.pipelines.text.yaml_reader import Located


@dataclass(frozen=True)
class Files:
    """What the settings of a recipe's nodes name outside of it."""

    recipe: Recipe
    problems: Problems
    named: list[Named] = field(default_factory=list)

    def whole(self, read: Any, node: str, setting: Setting, value: Located) -> Any:
        """What was read of a setting, with whole paths for the files that it names; None for one that is missing."""
        if isinstance(read, list) and changes(read):
            return [self.whole(one, node, setting, item) for one, item in zip(read, value.value, strict=True)]
        if isinstance(read, Music):
            return self._music(read, node, setting, value.value["music"].place)
        names = isinstance(read, str) and (setting.reads or setting.loads)
        return self.path(read, node, setting, value.place) if names else read

    def path(self, name: str, node: str, setting: Setting, place: Place, of: Setting | None = None) -> str | None:
        """The whole path of a file that is named at a place; `of` is the setting in which it stands, if another."""
        param = self.recipe.param_at(place) or f"{node.partition('.')[0]}.{(of or setting).name}"
        named = outside.found(name, setting, self.recipe.origin_of(place), place, param, self.problems)
        if named is None:
            return None
        self.named.append(named)
        return named.name

    def lacks(self, settings: dict[str, Any]) -> bool:
        """Whether one of the settings names what a picture's recipe came without."""
        return any(named.missing and named.name in settings.values() for named in self.named)

    def _music(self, music: Music, node: str, setting: Setting, place: Place) -> Music | None:
        file = self.path(music.file, node, SONG, place, of=setting)
        if file is None:
            return None
        found = replace(music, file=file)
        try:
            if Path(file).is_file():  # a picture's recipe may have come without it
                found.listen()
        except ValueError as fault:
            self.problems.add("T2I502", str(fault), place)
            return None
        return found
