"""Results of looking into a file, cached for as long as the file stays the same."""

from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

Rest = ParamSpec("Rest")
Found = TypeVar("Found")


def until_changed(look: Callable[Concatenate[Path, Rest], Found]) -> Callable[Concatenate[Path, Rest], Found]:
    """Cache a function that looks into a file, until the file's time or size changes."""

    @lru_cache(maxsize=64)
    def found(time: int, size: int, path: Path, *rest: Any, **named: Any) -> Found:
        return look(path, *rest, **named)

    @wraps(look)
    def remembered(path: Path, /, *rest: Rest.args, **named: Rest.kwargs) -> Found:
        about = path.stat()
        return found(about.st_mtime_ns, about.st_size, path, *rest, **named)  # type: ignore[arg-type]

    return remembered
