"""How a picture moves from one frame to the next: for each position in the next, where it was in the last."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from t2iflow.nodes.core.easing import smooth
from t2iflow.nodes.core.types import Size
from t2iflow.nodes.pictures.border import Border
from t2iflow.nodes.pictures.resampling import Reach, grid, reach, sample

Pair = tuple[float, float]
NEARLY = 1e-3
"""The smallest distance, in parts of the nearest, at which a camera still sees something."""


class Motion(ABC):
    """A map from places of the next picture to places of the last.

    Places are (..., 2), to the right and down: the middle is (0, 0), and the shorter side's edges are at -1 and 1.
    """

    @abstractmethod
    def where(self, places: Tensor, reach: Reach) -> Tensor:
        """The places (..., 2) in the last picture, whose edges are at `reach`, that these of the next come from."""

    def affine(self, reach: Reach) -> Tensor | None:
        """The map as a matrix (2, 3), to be applied to (right, down, 1), float64; None where it isn't one."""
        return None

    @property
    def still(self) -> bool:
        """Whether nothing moves."""
        affine = self.affine((1.0, 1.0))
        return affine is not None and torch.equal(affine, torch.eye(2, 3, dtype=affine.dtype))

    def __call__(self, image: Tensor, border: Border = "reflect") -> Tensor:
        """The moved picture (n, c, h, w), of any number of channels; no gradient."""
        if self.still:
            return image
        size = image.shape[-1], image.shape[-2]
        return sample(image, self.where(grid(size, image.device), reach(size)), border)

    def seen(self, size: Size, device: torch.device) -> Tensor | float:
        """How much of what the next picture shows was to be seen before, not hidden, (1, 1, h, w) in 0..1 or alike
        everywhere."""
        return 1.0

    def inside(self, size: Size, device: torch.device, feather: float = 0.0) -> Tensor:
        """Where the next picture comes from inside of the last and wasn't hidden there, (1, 1, h, w): 1, else 0.

        From the edges it rises within a pixel, or within `feather`, in parts of the half width and height.
        """
        places = self.where(grid(size, device), reach(size))
        within = 1 - places.abs() / places.new_tensor(reach(size))  # 1 in the middle, 0 at the edges
        if feather:
            risen = (within / feather).clamp(0, 1)
            risen = smooth(risen)
        else:
            risen = (within * places.new_tensor(size) / 2 + 0.5).clamp(0, 1)
        return risen.prod(-1)[None, None].to(device, torch.float32) * self.seen(size, device)


@runtime_checkable
class Moves(Protocol):
    """A canvas that a camera can move in its own terms, without painting a moved picture anew."""

    def move(self, motion: Motion, border: Border) -> bool:
        """Take on the motion; False, and nothing done, where it can't."""


@dataclass(frozen=True)
class Still(Motion):
    """No motion."""

    def where(self, places: Tensor, reach: Reach) -> Tensor:
        """The same places."""
        return places

    def affine(self, reach: Reach) -> Tensor:
        """Nothing changes."""
        return torch.eye(2, 3, dtype=torch.float64)


@dataclass(frozen=True)
class Affine(Motion):
    """Zoom, turn, pan and shear in the plane.

    `scale` above 1 makes what is seen larger; `angle` in degrees, clockwise; `pan`: how far the camera goes to the
    right and down, in parts of the shorter side; `centre`: the point that scale, angle and shear leave in its place,
    in parts of width and height from the left and top; `shear` in degrees, across and down.
    """

    scale: float = 1.0
    angle: float = 0.0
    pan: Pair = (0.0, 0.0)
    centre: Pair = (0.5, 0.5)
    shear: Pair = (0.0, 0.0)

    def where(self, places: Tensor, reach: Reach) -> Tensor:
        """The places before the motion."""
        affine = self.affine(reach).to(places)
        return places @ affine[:, :2].T + affine[:, 2]

    def affine(self, reach: Reach) -> Tensor:
        """The motion turned back."""
        across, down = (math.tan(math.radians(angle)) for angle in self.shear)
        sheared = torch.tensor([[1.0, across], [down, 1.0]], dtype=torch.float64)
        if abs(float(torch.linalg.det(sheared))) < NEARLY:
            raise ValueError(
                f"a shear of {self.shear[0]:g} and {self.shear[1]:g} degrees leaves only a line to be seen"
            )
        back = torch.linalg.inv(self.scale * _turned(self.angle) @ sheared)
        centre = torch.tensor([(part * 2 - 1) * edge for part, edge in zip(self.centre, reach, strict=True)])
        pan = torch.tensor(self.pan, dtype=torch.float64) * 2
        return torch.cat([back, (centre + back @ (pan - centre))[:, None]], 1)


@dataclass(frozen=True)
class Deep(Motion):
    """A camera that goes and turns before things at distances.

    `dolly` goes ahead, `pan` to the right and down, in units of `near`; `tilt` (up), `yaw` (to the right) and `roll`
    (clockwise) in degrees; `fov` in degrees over the shorter side. Distances are those of a `depth` picture (n, 1, h,
    w), whose values go with one by distance, 1 at `near` and 0 at `far`, as MiDaS guesses them; or of a `shape`. A
    `plane` stands at `near`; a `floor` begins there at the lower edge and leads to a wall at `far`, and so does a
    `cylinder`, which meets the shorter side's edges at `near`.

    A shape is met where it is. With a depth picture, each place is taken to be as far after the motion as before it, as
    Disco Diffusion and PyTTI do (2021): exact for small motions only, and what was hidden shows its surroundings.
    """

    depth: Tensor | None = None
    dolly: float = 0.0
    pan: Pair = (0.0, 0.0)
    tilt: float = 0.0
    yaw: float = 0.0
    roll: float = 0.0
    fov: float = 40.0
    shape: Literal["plane", "floor", "cylinder"] = "plane"
    near: float = 1.0
    far: float = 5.0

    @property
    def still(self) -> bool:
        """Whether the camera neither goes nor turns."""
        return not any((self.dolly, *self.pan, self.tilt, self.yaw, self.roll))

    def where(self, places: Tensor, reach: Reach) -> Tensor:
        """Where in the last picture the things stood."""
        focal = 1 / math.tan(math.radians(self.fov) / 2)
        ahead = torch.full_like(places[..., :1], focal)
        rays = torch.cat([places, ahead], -1) / focal @ self._facing().to(places).T
        origin = places.new_tensor([*self.pan, self.dolly]) * self.near
        found = origin + rays * self._distance(places, rays, origin, reach, focal)[..., None]
        return focal * found[..., :2] / found[..., 2:].clamp(min=NEARLY * self.near)

    def affine(self, reach: Reach) -> Tensor | None:
        """The map, where the camera only rolls and goes before a plane."""
        if self.depth is not None or self.shape != "plane" or self.tilt or self.yaw:
            return None
        points = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
        origin, right, down = self.where(points, reach)
        return torch.stack([right - origin, down - origin, origin], 1)

    def _facing(self) -> Tensor:
        """From directions as the turned camera sees them to directions before, (3, 3)."""
        roll, yaw, tilt = (torch.eye(3, dtype=torch.float64) for _ in range(3))
        roll[:2, :2] = _turned(self.roll)
        yaw[::2, ::2] = _turned(-self.yaw)
        tilt[1:, 1:] = _turned(self.tilt)
        return yaw @ tilt @ roll

    def _distance(self, places: Tensor, rays: Tensor, origin: Tensor, reach: Reach, focal: float) -> Tensor:
        """How far along each ray, in its own lengths, something is met, (...)."""
        across, down, ahead = rays.unbind(-1)
        if self.depth is not None:
            return 1 / (1 / self.far + self._nearness(places, reach) * (1 / self.near - 1 / self.far))
        wall = self.near if self.shape == "plane" else self.far
        end = _met(wall - origin[2], ahead, self.near)
        if self.shape == "plane":
            return end
        if self.shape == "floor":
            below = self.near * reach[1] / focal - origin[1]
            return torch.where(down > 0, _met(below, down, self.near).minimum(end), end)
        square = across.square() + down.square()
        along = across * origin[0] + down * origin[1]
        outside = origin[:2].square().sum() - (self.near / focal) ** 2  # below 0 within the cylinder
        side = ((along.square() - square * outside).clamp(min=0).sqrt() - along) / square.clamp(min=1e-12)
        return side.minimum(end)

    def _nearness(self, places: Tensor, reach: Reach) -> Tensor:
        """The depth picture's values at places (h, w, 2); it is stretched to the picture that moves."""
        assert self.depth is not None
        stretch = [side / min(self.depth.shape[-2:]) for side in (self.depth.shape[-1], self.depth.shape[-2])]
        read = sample(self.depth[:1], places * places.new_tensor(stretch) / places.new_tensor(reach), "edge")
        return read[0, 0].clamp(0, 1).to(places.device).to(places.dtype)  # in turn: an Apple GPU has no float64


@dataclass(frozen=True)
class Blended(Motion):
    """One motion at an `amount` of 0, another at 1, and between them each place on the straight way between theirs."""

    first: Motion
    second: Motion
    amount: float

    def where(self, places: Tensor, reach: Reach) -> Tensor:
        """The places between."""
        return torch.lerp(self.first.where(places, reach), self.second.where(places, reach), self.amount)

    def affine(self, reach: Reach) -> Tensor | None:
        """The map, if both are affine."""
        first, second = self.first.affine(reach), self.second.affine(reach)
        return None if first is None or second is None else torch.lerp(first, second, self.amount)

    def seen(self, size: Size, device: torch.device) -> Tensor | float:
        """The share between."""
        first, second = self.first.seen(size, device), self.second.seen(size, device)
        return first * (1 - self.amount) + second * self.amount


def _turned(degrees: float) -> Tensor:
    """Clockwise, as down is the second axis."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    return torch.tensor([[cosine, -sine], [sine, cosine]], dtype=torch.float64)


def _met(gap: Tensor, speed: Tensor, near: float) -> Tensor:
    """How long it takes to cross a gap; something is always left of it, and speed is never quite 0."""
    return gap.clamp(min=NEARLY * near) / speed.clamp(min=NEARLY)
