"""OpenAI's CLIPs, and how large they are: their own files, mostly in half precision, and copies in single precision.

Of their own files the sizes are those published, or those of the tensors in them; of the copies on Hugging Face, which
open_clip fetches, four bytes for each parameter.
"""

from collections.abc import Mapping

from t2iflow.nodes.weights.content import amount

KNOWN: Mapping[str, tuple[int, int]] = {
    "ViT-B/32": (353_976_522, 151_277_313),
    "ViT-B/16": (350_837_078, 149_620_737),
    "ViT-L/14": (932_768_134, 427_616_513),
    "ViT-L/14@336px": (933_400_000, 427_944_193),
    "RN50": (255_300_000, 102_007_137),
    "RN101": (290_900_000, 119_688_033),
    "RN50x4": (421_100_000, 178_300_601),
    "RN50x16": (660_100_000, 290_979_217),
    "RN50x64": (1_352_000_000, 623_258_305),
}
"""By OpenAI's name the bytes of their own file, and the number of parameters."""


def size(name: str) -> str:
    """From how much to how much there is to fetch; empty where it isn't known."""
    if name not in KNOWN:
        return ""
    own, parameters = KNOWN[name]
    least, most = amount(own).split(), amount(4 * parameters).split()
    return " to ".join([" ".join(least if least[1] != most[1] else least[:1]), " ".join(most)])
