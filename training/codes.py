"""Codes for 8 x 8 pixels each: the centres of what our tiny autoencoder reads in pictures.

A codebook that is learnt together with its reader and its painter, as in van den Oord et al. 2017, needs more steps
than a CPU has for it: with few, all codes come to mean the few colours that most pictures have. What is read by an
autoencoder that is trained already lies well apart, and k-means finds codes there in half a minute.
"""

from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor, nn

from t2iflow.nodes.core.ambient import SILENCE
from t2iflow.nodes.generators.taesd import Bound, Tiny
from t2iflow.nodes.generators.vqgan.network import nearest
from t2iflow.nodes.weights.find import obtain
from training.kept import kept
from training.pictures import Pictures

CODES = 1024
STEPS, SIDE, BATCH = 300, 64, 16
"""How many batches of pictures are read, their sides in pixels, and how many are in one."""
ROUNDS = 25


class Codes:
    """The tiny autoencoder's reader, and the centres of what it read, (codes, channels)."""

    def __init__(self, weights: Path, work: Path, device: torch.device) -> None:
        found = obtain(str(weights), "taesd", SILENCE, roles=("encoder",))
        reader = Tiny(found.tensors("encoder"), str(weights), device, torch.float32)
        self._reader = nn.Sequential(reader, Bound())
        read = found.files["encoder"].read_bytes()
        path = work / "codes" / f"centres-{sha256(read).hexdigest()[:16]}.pt"
        self.centres: Tensor = kept(path, lambda: self._found(work, device)).to(device)

    @torch.no_grad()
    def read(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """What is read in pictures, (n, channels, h, w), and the numbers of the codes nearest to it, (n, h, w)."""
        with torch.autocast(images.device.type, enabled=False):
            read = self._reader(images.float())
            numbers = nearest(read.permute(0, 2, 3, 1).flatten(0, 2), self.centres)
        return read, numbers.view(len(read), *read.shape[2:])

    def __getitem__(self, numbers: Tensor) -> Tensor:
        """What codes stand for: numbers (n, h, w) to (n, channels, h, w)."""
        return self.centres[numbers].permute(0, 3, 1, 2)

    @torch.no_grad()
    def _found(self, work: Path, device: torch.device) -> Tensor:
        pictures = Pictures(work, SIDE, BATCH, 0)
        read = [self._reader(pictures(step).images.to(device)) for step in range(STEPS)]
        # What is at the edge of a crop is read as nothing is in a whole picture.
        places = torch.cat([one[:, :, 1:-1, 1:-1].permute(0, 2, 3, 1).flatten(0, 2) for one in read])
        chance = torch.Generator().manual_seed(0)
        return centres(places, CODES, chance).cpu()


def centres(places: Tensor, count: int, chance: torch.Generator) -> Tensor:
    """The means of `count` groups of places (n, channels), each in the group whose mean is nearest (Lloyd 1982)."""

    def some(number: int) -> Tensor:
        return places[torch.randperm(len(places), generator=chance)[:number].to(places.device)]

    found = some(count)
    for _ in range(ROUNDS):
        groups = nearest(places, found)
        sizes = torch.bincount(groups, minlength=count)
        found = torch.zeros_like(found).index_add_(0, groups, places) / sizes.clamp(min=1)[:, None]
        alone = sizes < 2
        found[alone] = some(int(alone.sum()))
    return found
