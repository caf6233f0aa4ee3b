"""Where the nodes of a drawing go: rows from top to bottom, so that every wire runs downwards.

After Sugiyama, Tagawa and Toda 1981: a row for each node, stand-ins where a wire passes a row, fewer crossings by
barycentres, then places near their neighbours'.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import networkx as nx

Point = tuple[float, float]
Pair = tuple[str, str]

CARD, ROW, GAP = 44.0, 74.0, 20.0
"""Pixels: a card's height, from row to row, and between cards."""
PAD, HEAD, BETWEEN, SIDE = 14.0, 28.0, 8.0, 20.0
"""Pixels: above and below the cards of a band, for its heading, between bands, and at the sides."""
SWEEPS = 12
MOST = 8000
"""Stand-ins of all wires together; where there would be more, wires run straight, or drawing would take minutes."""


@dataclass(frozen=True)
class Layout:
    """A drawing's measures in pixels: `bands` are top and bottom of each group, `boxes` are left, top and width of each
    card, `routes` lead each wire down through points, an even number of them, with straight ways from odd to even."""

    width: float
    height: float
    bands: list[Point]
    boxes: dict[str, tuple[float, float, float]]
    routes: list[list[Point]]


@dataclass(eq=False)
class _Spot:
    """A card in its row, or a stand-in for a wire that passes."""

    row: int
    width: float
    passing: bool = False
    x: float = 0.0
    above: "list[_Spot]" = field(default_factory=list)
    below: "list[_Spot]" = field(default_factory=list)


def arrange(
    groups: Sequence[Sequence[str]], wires: Sequence[Pair], widths: Mapping[str, float], labels: Sequence[float]
) -> Layout:
    """Place the nodes, each group in a band below the one before; `widths` are those of the cards, at least, `labels`
    how much room each wire needs to the right of its end."""
    starts, of = _rows(groups, wires)
    room = dict.fromkeys(of, 0.0)
    for (_, end), label in zip(wires, labels, strict=True):
        room[end] += label
    spots = {name: _Spot(row, max(widths[name], room[name])) for name, row in of.items()}
    rows: list[list[_Spot]] = [[] for _ in range(starts[-1])]
    for spot in spots.values():
        rows[spot.row].append(spot)
    passed = sum(max(0, of[end] - of[start] - 1) for start, end in wires)
    chains = [_chain(spots[start], spots[end], rows, straight=passed > MOST) for start, end in wires]
    for _ in range(SWEEPS):
        _untangle(rows)
    _place(rows)
    left = min((spot.x - spot.width / 2 for row in rows for spot in row), default=0.0) - SIDE
    for spot in (spot for row in rows for spot in row):
        spot.x -= left
    width = max((spot.x + spot.width / 2 for row in rows for spot in row), default=0.0) + SIDE
    tops, bands = _heights(starts)
    boxes = {name: (spot.x - spot.width / 2, tops[spot.row], spot.width) for name, spot in spots.items()}
    return Layout(width, bands[-1][1] if bands else 0.0, bands, boxes, _routes(chains, labels, tops))


def _rows(groups: Sequence[Sequence[str]], wires: Sequence[Pair]) -> tuple[list[int], dict[str, int]]:
    """The first row of each group (and the one after the last), and the row of each node: below all that feed it."""
    starts: list[int] = [0]
    rows: dict[str, int] = {}
    for group in groups:
        known = {*group}
        inside: nx.DiGraph[str] = nx.DiGraph([wire for wire in wires if known.issuperset(wire)])
        inside.add_nodes_from(group)
        levels = list(nx.topological_generations(inside))
        own = {name: row for row, level in enumerate(levels, starts[-1]) for name in level}
        rows |= {name: own[name] for name in group}
        starts.append(starts[-1] + len(levels))
    return starts, rows


def _chain(start: _Spot, end: _Spot, rows: list[list[_Spot]], straight: bool) -> list[_Spot]:
    """The spots of a wire, with stand-ins in the rows that it passes, or `straight` through these."""
    between = () if straight else range(start.row + 1, end.row)
    chain = [start, *(_Spot(row, 6.0, passing=True) for row in between), end]
    for spot in chain[1:-1]:
        rows[spot.row].append(spot)
    for upper, lower in pairwise(chain):
        upper.below.append(lower)
        lower.above.append(upper)
    return chain


def _untangle(rows: list[list[_Spot]]) -> None:
    """Sort each row by the middle of its neighbours' places, downwards and then upwards."""
    for row in rows:
        for index, spot in enumerate(row):
            spot.x = index
    for row in rows:
        _sort(row, [spot.above for spot in row])
    for row in reversed(rows):
        _sort(row, [spot.below for spot in row])


def _sort(row: list[_Spot], neighbours: list[list[_Spot]]) -> None:
    middle = {id(spot): _mean(near) if near else spot.x for spot, near in zip(row, neighbours, strict=True)}
    row.sort(key=lambda spot: middle[id(spot)])
    for index, spot in enumerate(row):
        spot.x = index


def _place(rows: list[list[_Spot]]) -> None:
    """Bring every spot as near to its neighbours' middle as the order and the gaps of its row allow."""
    for row in rows:
        _spread(row, [0.0] * len(row))
    for sweep in range(6 * SWEEPS):
        for row in rows if sweep % 2 else reversed(rows):
            near = [spot.above if sweep % 2 else spot.below for spot in row]
            near = near if sweep < SWEEPS else [[*spot.above, *spot.below] for spot in row]
            _spread(row, [_pulled(spot, some) if some else spot.x for spot, some in zip(row, near, strict=True)])


def _pulled(spot: _Spot, near: Iterable[_Spot]) -> float:
    """The middle of the neighbours; the more a wire consists of stand-ins, the straighter it wants to be."""
    pulls = [(other.x, (1, 3, 12)[spot.passing + other.passing]) for other in near]
    return sum(x * pull for x, pull in pulls) / sum(pull for _, pull in pulls)


def _spread(row: list[_Spot], wanted: list[float]) -> None:
    """Places in order, a gap apart, with the least sum of squared distances from those wanted (pooling neighbours)."""
    shifts, reach = [], 0.0
    for before, spot in zip([None, *row], row, strict=False):
        reach += (before.width + spot.width) / 2 + GAP if before else 0.0
        shifts.append(reach)
    pools: list[tuple[float, int]] = []
    for want, shift in zip(wanted, shifts, strict=True):
        total, count = want - shift, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            more, others = pools.pop()
            total, count = total + more, count + others
        pools.append((total, count))
    places = [total / count for total, count in pools for _ in range(count)]
    for spot, place, shift in zip(row, places, shifts, strict=True):
        spot.x = place + shift


def _heights(starts: list[int]) -> tuple[list[float], list[Point]]:
    """The top of each row's cards, and the top and bottom of each band."""
    tops: list[float] = []
    bands: list[Point] = []
    for first, after in pairwise(starts):
        top = bands[-1][1] + BETWEEN if bands else 0.0
        tops += [top + HEAD + PAD + ROW * number for number in range(after - first)]
        bands.append((top, tops[-1] + CARD + PAD))
    return tops, bands


def _routes(chains: list[list[_Spot]], labels: Sequence[float], tops: list[float]) -> list[list[Point]]:
    """The ways of the wires; those that enter one card do so side by side, in the order that they come from, each with
    room for its label."""
    entering: dict[int, list[tuple[list[_Spot], float]]] = {}
    for chain, label in zip(chains, labels, strict=True):
        entering.setdefault(id(chain[-1]), []).append((chain, label))
    ends: dict[int, float] = {}
    for some in entering.values():
        card = some[0][0][-1]
        between = (card.width - sum(label for _, label in some)) / (len(some) + 1)
        x = card.x - card.width / 2
        for chain, label in sorted(some, key=lambda one: one[0][-2].x):
            ends[id(chain)] = x + between
            x += between + label
    routes = []
    for chain in chains:
        passing = [(spot.x, tops[spot.row] + down) for spot in chain[1:-1] for down in (0.0, CARD)]
        first, last = chain[0], chain[-1]
        routes.append([(first.x, tops[first.row] + CARD), *passing, (ends[id(chain)], tops[last.row])])
    return routes


def _mean(spots: Iterable[_Spot]) -> float:
    places = [spot.x for spot in spots]
    return sum(places) / len(places)
