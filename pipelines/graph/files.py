"""The files and weights that settings name, gathered as nodes are wired."""

import os
from dataclasses import dataclass, field, replace

from t2iflow.nodes.core.node import Setting
from t2iflow.pipelines.graph import outside
from t2iflow.pipelines.graph.graph import Resource
from t2iflow.pipelines.graph.music import SONG, Music
from t2iflow.pipelines.graph.schedule import Schedule
from t2iflow.pipelines.problems import Place, Problems
from t2iflow.pipelines.text.recipe import Recipe


@dataclass(frozen=True)
class Files:
    """What the settings of a recipe's nodes name outside of it."""

    recipe: Recipe
    problems: Problems
    resources: list[Resource] = field(default_factory=list)

    def path(self, name: str, node: str, setting: Setting, place: Place, of: Setting | None = None) -> str | None:
        """The whole path of a file that is named at a place; `of` is the setting in which it stands, if another."""
        param = self.recipe.param_at(place) or f"{node.partition('.')[0]}.{(of or setting).name}"
        resource = outside.find(name, setting, self.recipe.origin_of(place), place, param, self.problems)
        if resource is None:
            return None
        self.resources.append(resource)
        return resource.name

    def heard(self, schedule: Schedule, node: str, setting: Setting) -> Schedule | None:
        """A schedule with the whole path of its music, if it follows any; None for music that can't be heard."""
        before = len(self.problems)
        heard = schedule.each(lambda part: self._song(part, node, setting) if isinstance(part, Music) else part)
        return heard if len(self.problems) == before else None

    def _song(self, music: Music, node: str, setting: Setting) -> Music:
        file = self.path(music.file, node, SONG, music.place, of=setting)
        found = replace(music, file=file or music.file)
        try:
            if file and os.path.isfile(file):  # a picture's recipe may have come without it
                found.listen()
        except ValueError as fault:
            self.problems.add("T2I502", str(fault), music.place)
        return found
