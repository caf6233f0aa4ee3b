"""What installed packages offer by their entry points."""

from importlib.metadata import EntryPoint, entry_points


def offered(group: str) -> dict[str, list[EntryPoint]]:
    """What they offer to a group, by name; what is listed twice is one."""
    found: dict[str, list[EntryPoint]] = {}
    for point in {(point.name, point.value): point for point in entry_points(group=group)}.values():
        found.setdefault(point.name, []).append(point)
    return found


def packages(points: list[EntryPoint]) -> str:
    """The names of the packages that offer these."""
    return ", ".join(point.dist.name if point.dist else point.value for point in points)
