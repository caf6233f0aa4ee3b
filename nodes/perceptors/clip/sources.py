"""What the name of a CLIP means: a file, or weights that open_clip knows."""

import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.missing import MissingPackageError
from t2iflow.nodes.core.spelling import suggest
from t2iflow.nodes.perceptors.clip import sizes

OPENAI = {name: name.replace("/", "-").replace("@", "-").removesuffix("px") for name in sizes.KNOWN}
"""OpenAI's names, and open_clip's for the same architectures."""

HUB = "hf-hub:"
"""What stands before the name of a repository, as open_clip has it."""

LISTED = "t2iflow_open_clip_listed"
"""The name under which open_clip's list of weights is imported, apart from open_clip."""

FILES = (".pt", ".pth", ".bin", ".safetensors")


class Source(NamedTuple):
    """Where a CLIP comes from: open_clip's architecture (None: what the file's tensors say), and a tag or a file."""

    architecture: str | None
    tag: str = ""
    file: Path | None = None
    quick: bool = False
    """Whether it is meant to be a network of OpenAI's, with QuickGELU."""


def find(name: str, weights: str | None) -> Source:
    """What a name and a file mean; ValueError, with near names, where they mean nothing."""
    if name.startswith(HUB):
        found = _on_hub(name.removeprefix(HUB))
        return found if weights is None else Source(found.architecture, file=_file(weights), quick=found.quick)
    architecture, _, tag = name.partition(":")
    quick, known = architecture in OPENAI, OPENAI.get(architecture, architecture)
    if weights is not None:
        return Source(None if name == "lite" else known, file=_file(weights), quick=quick)
    if name in OPENAI:
        return Source(known, tag="openai", quick=True)
    if name.endswith(FILES) and (not tag or not paths.no_file(paths.given(name))):
        return Source(None, file=_file(name))
    if tag:
        return Source(known, file=_file(tag), quick=quick) if tag.endswith(FILES) else Source(known, tag, quick=quick)
    raise ValueError(
        f"`{name}` is not a perceptor{_near(name, ['lite', *OPENAI])}; take `lite`, one of OpenAI's "
        f"({', '.join(OPENAI)}), one of open_clip's as `architecture:weights`, such as "
        "ViT-B-32:laion2b_s34b_b79k, or a file"
    )


def _on_hub(repository: str) -> Source:
    """What open_clip publishes in a repository of Hugging Face; ValueError, with near names, for any other."""
    library = catalogue()
    if library is None:
        raise ValueError("reading a repository needs open_clip: pip install open_clip_torch")
    known: dict[str, Source] = {}
    for architecture in library.list_models():
        for tag in library.list_pretrained_tags_by_model(architecture):
            kept = library.get_pretrained_cfg(architecture, tag).get("hf_hub", "").strip("/")
            known.setdefault(kept, Source(architecture, tag))
    if repository not in known or not repository:
        raise ValueError(f"open_clip lists no repository `{repository}`{_near(repository, [*known])}")
    return known[repository]


def package() -> ModuleType:
    """open_clip, imported when first needed; MissingPackageError where it, or the torchvision it needs, is broken."""
    try:
        import open_clip
    except Exception as fault:  # a torchvision made for another torch fails with errors of many types
        raise MissingPackageError(
            f"open_clip can't be imported ({fault}). It needs torchvision in the version that was released with torch, "
            f"of which {torch.__version__} is here: pip install --upgrade torch torchvision open_clip_torch"
        ) from fault
    module: ModuleType = open_clip
    return module


@cache
def catalogue() -> ModuleType | None:
    """What open_clip publishes, read without open_clip itself, which a torchvision made for another torch breaks.

    None where it is not installed, or keeps its list in another way.
    """
    found = find_spec("open_clip")
    if found is None or not found.submodule_search_locations:
        return None
    package = ModuleType(LISTED)
    package.__path__ = list(found.submodule_search_locations)
    sys.modules[LISTED] = package
    try:
        module = import_module(f"{LISTED}.pretrained")
        names = [path.stem for folder in package.__path__ for path in Path(folder).glob("model_configs/*.json")]
    except Exception:  # of whatever kind: then the name is only known to be wrong when it is loaded
        return None
    module.list_models = lambda: names  # type: ignore[attr-defined]
    lists = ("get_pretrained_cfg", "list_pretrained_tags_by_model")
    return module if names and all(hasattr(module, name) for name in lists) else None


def check_published(name: str, weights: str | None) -> None:
    """ValueError, with near names, where open_clip has no such network or no such weights for it."""
    source = find(name, weights)
    library = None if source.architecture is None or name in OPENAI else catalogue()
    if library is not None:
        published(library, source.architecture, source.tag)


def has_no_layers(name: str) -> bool:
    """Whether a perceptor of this name is known to have no batch normalisation, as transformers have none."""
    return name.startswith("ViT-") and not name.endswith(FILES)


def published(library: ModuleType, architecture: str | None, tag: str) -> dict[str, Any]:
    """open_clip's record of published weights; without a tag the first of an architecture, or nothing."""
    if architecture is None:
        return {}
    if architecture not in library.list_models():
        raise ValueError(f"open_clip knows no `{architecture}`{_near(architecture, library.list_models())}")
    tags: list[str] = library.list_pretrained_tags_by_model(architecture)
    if not tag:
        tag = tags[0] if tags else ""
    elif not library.get_pretrained_cfg(architecture, tag):
        near = _near(tag, tags) or f"; there are {', '.join(tags) or 'none'}"
        raise ValueError(f"there are no weights `{tag}` for {architecture}{near}")
    record: dict[str, Any] = library.get_pretrained_cfg(architecture, tag)
    return record


def _file(text: str) -> Path:
    path = paths.given(text)
    if why := paths.no_content(path):
        raise ValueError(f"the file `{text}` {why}")
    return path


def _near(name: str, known: list[str]) -> str:
    question = suggest(name, known, 3)
    return f" ({question})" if question else ""
