"""Small pictures of a run on its way: of some steps of each optimiser, and of some frames of a film."""

import base64
import contextlib
import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Literal, TypeAlias

import PIL.Image
import torch
import torch.nn.functional as F
from torch import Tensor

from t2iflow.nodes.core.whole import write
from t2iflow.nodes.pictures.codec import from_tensor
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.runner.events import Filmed, Fitting, Stepped
from t2iflow.runner.folder.folder import SNAPSHOTS

SHOTS, SIDE = 8, 160
"""How many are taken of the steps of an optimiser, and of the frames of a film; pixels of their longer side."""
MOST = 1_000_000
"""Bytes of a snapshot that is read again."""

What: TypeAlias = Literal["step", "frame"]
Key: TypeAlias = tuple[str, What, int]


@dataclass(frozen=True)
class Snapshot:
    """A small picture of a step or of a frame of a film, as the bytes of a PNG."""

    node: str
    what: What
    number: int
    png: bytes


class Snapshots:
    """Takes snapshots, and keeps them in the run folder until the run has finished: a resumed one shows all of them."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self._folder = folder / SNAPSHOTS
        self._regions = {region.optimizer: (number, region) for number, region in enumerate(plan.regions)}
        self._wanted: set[int] = set()
        self._fresh: dict[Key, Tensor] = {}
        self._pngs: dict[Key, bytes] = {}

    def remember(self) -> None:
        """Take those that were made before the run was stopped."""
        nodes = {number: node for node, (number, _) in self._regions.items()}
        for path in sorted(self._folder.glob("*.png")):
            named = re.fullmatch(r"(\d{1,9})-(step|frame)-(\d{1,9})\.png", path.name)
            with contextlib.suppress(OSError, KeyError):
                if named and os.path.isfile(path) and path.stat().st_size <= MOST:
                    what: What = "step" if named[2] == "step" else "frame"
                    self._pngs[nodes[int(named[1])], what, int(named[3])] = path.read_bytes()

    def begin(self, event: Fitting) -> None:
        """An optimiser begins; what was shown of its later steps is void."""
        _, region = self._regions[event.node]
        steps = region.steps if region.shot else event.steps
        # Squares, because a picture changes most at first.
        self._wanted = {round((number / (SHOTS - 1)) ** 2 * (steps - 1)) for number in range(SHOTS)}
        self._pngs = {
            key: png for key, png in self._pngs.items() if key[:2] != (event.node, "step") or key[2] < event.first
        }

    def step(self, event: Stepped) -> None:
        """Take the step's picture, if it is one of those wanted."""
        if event.step in self._wanted:
            self._fresh[event.node, "step", event.step] = small(event.image[:1], SIDE)

    def frame(self, event: Filmed) -> None:
        """Take the frame, if it is one of those wanted."""
        if event.frame in {round(number / (SHOTS - 1) * (event.frames - 1)) for number in range(SHOTS)}:
            self._fresh[event.node, "frame", event.frame] = small(event.image[:1], SIDE)

    def keep(self) -> None:
        """Bring what was taken to the disk; OSError if that takes no more, and they stay here."""
        fresh = {key: png(from_tensor(image[0])) for key, image in self._fresh.items()}
        self._fresh = {}
        self._keep(fresh)

    def of(self, optimizer: str) -> dict[int, bytes]:
        """Those of an optimiser's steps that were kept, by step."""
        return {number: png for (node, what, number), png in self._pngs.items() if (node, what) == (optimizer, "step")}

    def put(self, optimizer: str, pngs: Mapping[int, bytes]) -> None:
        """Have these of an optimiser's steps, and no others; OSError if the disk takes no more."""
        self._pngs = {key: png for key, png in self._pngs.items() if key[:2] != (optimizer, "step")}
        self._keep({(optimizer, "step", number): png for number, png in pngs.items()})

    def _keep(self, fresh: Mapping[Key, bytes]) -> None:
        self._pngs |= fresh
        if fresh and not self._folder.is_symlink():
            self._folder.mkdir(exist_ok=True)
            for (node, what, number), data in fresh.items():
                write(self._folder / f"{self._regions[node][0]}-{what}-{number}.png", data)

    def all(self) -> Iterator[Snapshot]:
        """Those that were kept, in order."""
        order = list(self._regions)
        for key in sorted(self._pngs, key=lambda key: (order.index(key[0]), key[1], key[2])):
            yield Snapshot(*key, self._pngs[key])


def of_page(html: str, nodes: Sequence[str]) -> Iterator[Snapshot]:
    """Those that a finished run's page shows, of these optimisers."""
    for source, what, name in re.findall(
        r'<img src="data:image/png;base64,([\w+/=]+)" alt="(step|frame) ([^"]+)">', html
    ):
        node, _, number = name.rpartition(" ")
        with contextlib.suppress(ValueError):
            yield Snapshot(unescape(node) or nodes[0], what, int(number), base64.b64decode(source, validate=True))


@torch.no_grad()
def small(image: Tensor, side: int) -> Tensor:
    """Pictures (n, 3, h, w), their longer side no longer than this, on the CPU."""
    height, width = image.shape[-2:]
    scale = min(1.0, side / max(height, width))
    if scale == 1.0:
        return image.detach().float().cpu()
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    return F.interpolate(image.float(), size, mode="bilinear", antialias=True).cpu()


def png(picture: PIL.Image.Image) -> bytes:
    """A picture as a PNG, made quickly rather than small."""
    data = io.BytesIO()
    picture.save(data, "PNG", compress_level=1)
    return data.getvalue()
