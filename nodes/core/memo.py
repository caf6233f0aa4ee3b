"""What was found out about a file, remembered for as long as the file stays as it is."""

from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

Rest = ParamSpec("Rest")
Found = TypeVar("Found")


def until_changed(look: Callable[Concatenate[Path, Rest], Found]) -> Callable[Concatenate[Path, Rest], Found]:
    """Let a function that looks into a file do so once, and again only where the file's time or size is another."""

    @lru_cache(maxsize=64)
    def found(time: int, size: int, path: Path, *rest: Any, **named: Any) -> Found:
        return look(path, *rest, **named)

    @wraps(look)
    def remembered(path: Path, /, *rest: Rest.args, **named: Rest.kwargs) -> Found:
        about = path.stat()
        return found(about.st_mtime_ns, about.st_size, path, *rest, **named)  # type: ignore[arg-type]

    return remembered
