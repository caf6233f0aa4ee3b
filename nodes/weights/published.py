"""Weights of generators that are published: where they are served, and what is known of them.

No source states a digest of most of these files; such a file is trusted when it is first seen, and pinned from then on.
"""

import json
from collections.abc import Iterator, Mapping

from t2iflow.nodes.weights.families import FAMILIES
from t2iflow.nodes.weights.records import SMALL, File, Record

HEIBOX = "https://heibox.uni-heidelberg.de"
NMKD = "https://dl.nmkd.de/ai/clip/coco/coco"
WIKIART = "https://github.com/pixray/pixray/releases/download/v1.7.1/vqgan_wikiart_"
ELEIBER = "https://github.com/Eleiber/VQGAN-Mirrors/releases/download/0.0.1/"
ELEUTHER = "http://eaidata.bmk.sh/data/Wikiart_16384/wikiart_f16_16384_8145600"
TAMING = "https://raw.githubusercontent.com/CompVis/taming-transformers/master/configs/"
KOOFR = "https://app.koofr.net/content/links/a04deec9-0c59-4673-8b37-3d696fe63a5d/files/get/"
DRIVE = "https://drive.google.com/uc?export=download&id="
MIN_DALLE = "https://huggingface.co/kuprel/min-dalle/resolve/main/"
TAESD = "https://raw.githubusercontent.com/madebyollin/taesd/"


def _vqgan(
    name: str, about: str, config: File, checkpoint: File, codes: int = 0, *, factor: int = 16, licence: str = "MIT"
) -> Record:
    return Record(name, "vqgan", about, licence, {"config": config, "checkpoint": checkpoint}, factor, codes)


def _heibox(folder: str, path: str) -> str:
    return f"{HEIBOX}/d/{folder}/files/?p=%2F{path}&dl=1"


def _official(folder: str, config: str, checkpoint: str, *mirrors: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The addresses of both files: the folder that the authors link, each file's own link, then mirrors."""
    return (
        (
            _heibox(folder, "configs%2Fmodel.yaml"),
            f"{HEIBOX}/f/{config}/?dl=1",
            *(f"{mirror}.yaml" for mirror in mirrors),
        ),
        (
            _heibox(folder, "ckpts%2Flast.ckpt"),
            f"{HEIBOX}/f/{checkpoint}/?dl=1",
            *(f"{mirror}.ckpt" for mirror in mirrors),
        ),
    )


def _imagenet(codes: int, size: int, exact: bool, folder: str, config: str, checkpoint: str) -> Record:
    stem = f"vqgan_imagenet_f16_{codes}"
    configs, checkpoints = _official(folder, config, checkpoint, ELEIBER + stem)
    dalle = "~/.cache/dalle/vqgan.1024." if codes == 1024 else ""  # DALLE-pytorch fetches this one
    return _vqgan(
        f"imagenet-f16-{codes}",
        f"VQGAN of ImageNet, {codes} codes",
        File(f"{stem}.yaml", configs, kept=dalle and f"{dalle}config.yml"),
        File(f"{stem}.ckpt", checkpoints, size, exact, kept=dalle and f"{dalle}model.ckpt"),
        codes,
    )


def _openimages() -> Record:
    configs, checkpoints = _official("2e5662443a6b4307b470", "b24d14998a8d4f19a34f", "34a747d5765840b5a99d")
    return _vqgan(
        "openimages-f8-8192",
        "VQGAN of OpenImages with 8192 Gumbel codes, for fine detail",
        File("vqgan_gumbel_f8_8192.yaml", configs),
        File("vqgan_gumbel_f8_8192.ckpt", checkpoints, 376_000_000),
        8192,
        factor=8,
    )


def _scenes(name: str, of: str, config: tuple[str, ...], checkpoint: str, size: int, licence: str) -> Record:
    return _vqgan(
        name,
        f"VQGAN of {of}, in one file with a transformer",
        File(f"{name}.yaml", config),
        File(f"{name}.ckpt", (checkpoint,), size),
        licence=licence,
    )


def _wikiart(codes: int, size: int, mirror: str) -> Record:
    config, checkpoint = ((f"{WIKIART}{codes}.{kind}", f"{mirror}.{kind}") for kind in ("yaml", "ckpt"))
    return _vqgan(
        f"wikiart-f16-{codes}",
        f"VQGAN of paintings, {codes} codes",
        File(f"wikiart_{codes}.yaml", config),
        File(f"wikiart_{codes}.ckpt", checkpoint, size),
        codes,
        licence="not stated",
    )


def _biggan(side: int, config: int, checkpoint: int, exact: bool) -> Record:
    def file(name: str, size: int) -> File:
        name = f"biggan-deep-{side}-{name}"
        return File(name, (f"https://s3.amazonaws.com/models.huggingface.co/biggan/{name}",), size, exact)

    files = {"config": file("config.json", config), "checkpoint": file("pytorch_model.bin", checkpoint)}
    return Record(f"biggan-deep-{side}", "biggan", f"BigGAN-deep of ImageNet, {side} x {side} pixels", "MIT", files)


def _dvae() -> Record:
    sizes = {"decoder": 175_400_000, "encoder": 215_200_000}
    files = {
        role: File(
            f"{role}.pkl", (f"https://cdn.openai.com/dall-e/{role}.pkl",), size, kept=f"~/.cache/dalle/{role}.pkl"
        )
        for role, size in sizes.items()
    }
    licence = "MIT, modified: asks for attribution"
    return Record("openai-dvae", "dvae", "OpenAI's discrete autoencoder of DALL-E, 8192 codes", licence, files, 8, 8192)


def _dalle(name: str, about: str, suffix: str, digests: tuple[str, str], sizes: tuple[int, int]) -> Record:
    """DALL-E in the form of min-dalle, which keeps mini and mega in a folder each, under the same names."""
    kept = f"pretrained/dalle_bart_{name.removeprefix('dalle-')}"

    def file(stem: str, kind: str, size: int, digest: str | None = None) -> File:
        served = f"{stem}{suffix}.{kind}"
        return File(served, (MIN_DALLE + served,), size, sha256=digest, kept=f"{kept}/{stem}.{kind}")

    files = {
        "encoder": file("encoder", "pt", sizes[0], digests[0]),
        "decoder": file("decoder", "pt", sizes[1], digests[1]),
        "detoker": File("detoker.pt", (f"{MIN_DALLE}detoker.pt",), 187_000_000, kept="pretrained/vqgan/detoker.pt"),
        "vocabulary": file("vocab", "json", 802_000),
        "merges": file("merges", "txt", 0),
    }
    return Record(name, "dalle-mini", about, "Apache-2.0; MIT for this form of it", files)


def _taesd(name: str, of: str, commit: str) -> Record:
    files = {
        role: File(f"{name}_{role}.pth", (f"{TAESD}{commit}/{name}_{role}.pth",), 5_000_000)
        for role in FAMILIES["taesd"].files
    }
    return Record(name, "taesd", f"tiny autoencoder of the latents of {of}", "MIT", files, 8)


def _small() -> Iterator[Record]:
    """Those that we trained ourselves: training/README.md says on what."""
    told = json.loads((SMALL / "weights.json").read_text(encoding="utf-8"))
    for name, one in told.items():
        files = {
            role: File(file["name"], (), file["size"], True, file["sha256"], str(SMALL / name / file["name"]))
            for role, file in one["files"].items()
        }
        licence = "MIT; of what pictures: LICENSES.md beside them"
        yield Record(name, one["family"], one["about"], licence, files, one["factor"], one.get("codes", 0))


KNOWN: Mapping[str, Record] = {
    record.name: record
    for record in (
        _imagenet(1024, 957_954_257, True, "8088892a516d4e3baf92", "6ecf2af6c658432c8298", "140747ba53464f49b476"),
        _imagenet(16384, 980_000_000, False, "a7530b09fed84f80a887", "274fb24ed38341bfa753", "867b05fc8c4841768640"),
        _openimages(),
        _scenes(
            "sflckr",
            "landscapes",
            (_heibox("73487ab6e5314cb5adba", "configs%2F2020-11-09T13-31-51-project.yaml"),),
            _heibox("73487ab6e5314cb5adba", "checkpoints%2Flast.ckpt"),
            4_260_000_000,
            "MIT",
        ),
        _scenes("coco", "everyday scenes", (f"{NMKD}.yaml",), f"{NMKD}.ckpt", 8_400_000_000, "not stated"),
        _scenes(
            "faceshq",
            "faces",
            (f"{DRIVE}1fHwGx_hnBtC8nsq7hesJvs-Klv-P0gzT", f"{TAMING}faceshq_transformer.yaml"),
            f"{KOOFR}last.ckpt?path=%2F2020-11-13T21-41-45_faceshq_transformer%2Fcheckpoints%2Flast.ckpt",
            3_800_000_000,
            "MIT",
        ),
        _wikiart(1024, 958_000_000, f"{ELEIBER}wikiart_1024"),
        _wikiart(16384, 1_000_000_000, ELEUTHER),
        _biggan(128, 630, 211_000_000, False),
        _biggan(256, 0, 234_500_000, False),
        _biggan(512, 800, 235_773_527, True),
        _dvae(),
        _dalle(
            "dalle-mini",
            "DALL-E mini: text to 256 x 256 pixels",
            "_mini",
            (
                "158e1ff118b6e85c7b03577178758f94a24b6e1625e8f8ee6415fbde020b938b",
                "f8343c2bf982cb60d463417facc4debeeaabc9f238a1f7115ac5bdf778ea3901",
            ),
            (405_000_000, 471_000_000),
        ),
        _dalle(
            "dalle-mega",
            "DALL-E mega: as mini, larger and better",
            "",
            (
                "76e7797b19625122e21138556e06b78cc84686ed5f5e5c42aa53c81ffb2f4bb8",
                "fc94a4dff25b97575239eb21e1ae3d988beff95470fec9903d5dcad521ab9efa",
            ),
            (2_220_000_000, 2_960_000_000),
        ),
        Record(
            "dalle-pytorch",
            "dalle-pytorch",
            "your own weights of DALLE-pytorch, by `t2iflow weights add dalle-pytorch FILE`: none are official",
            "unknown",
            {"checkpoint": File("dalle.pt")},
        ),
        _taesd("taesd", "Stable Diffusion 1 and 2", "e87efbcfc5298d84986b5d9280f40d358b6a228d"),
        _taesd("taef2", "FLUX.2", "5cccb12dc72074a4be35680c3b108548a7c69978"),
        *_small(),
    )
}
"""All that is published, by name."""
