"""The lines of a text file that a recipe or an option names: a value on each."""

from collections.abc import Iterator

from t2iflow.nodes.core import paths
from t2iflow.pipelines.problems import Place, Problems, RecipeError
from t2iflow.pipelines.text.origin import Origin
from t2iflow.pipelines.text.yaml_reader import load
from t2iflow.pipelines.text.yaml_scalars import readable


def lines(
    name: str, origin: Origin, at: Place, problems: Problems, sources: dict[str, str]
) -> list[tuple[Place, str]] | None:
    """The lines and their places, without the spaces around them, and without empty ones and those that begin with #;
    None where the file can't be read, which is reported. The `origin` of the text that names it decides where it is,
    and whether it may be read."""
    file = paths.given(name, origin.folder)
    if not origin.admits(file):
        problems.add("T2I503", f"this recipe is foreign, so it may not read `{name}`", at, origin.rule)
        return None
    if why := paths.no_content(file):
        problems.add("T2I502", f"the file `{name}` {why}" if name.strip() else "no file is named", at)
        return None
    try:
        text = load(file)
    except RecipeError as fault:
        problems.extend(fault.problems)
        return None
    sources[str(file)] = text
    return list(_filled(text, str(file), problems))


def _filled(text: str, file: str, problems: Problems) -> Iterator[tuple[Place, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if (said := line.strip()) and not said.startswith("#"):
            place = Place(file, number, 1, len(line))
            yield place, readable(said, place, problems)
