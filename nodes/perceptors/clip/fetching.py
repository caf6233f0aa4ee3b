"""Files of published CLIPs: where they are already, and fetched by open_clip where they are not.

open_clip says which file it needs and fetches it, so that no list of ours goes stale; hence no records of such weights
in `t2iflow.nodes.weights`.
"""

import os
import re
import socket
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.ambient import Notes
from t2iflow.nodes.core.missing import MissingWeightsError
from t2iflow.nodes.weights import places
from t2iflow.nodes.weights.connection import proxy, waiting
from t2iflow.nodes.weights.content import sha256

CACHE = "~/.cache/clip"
"""Where OpenAI's own package keeps what it fetched."""

PATIENCE = 10.0
"""Seconds that a server may take to answer at all."""
PORTS = {"https": 443}

WITHOUT = "The bundled perceptor `lite` needs no download: most recipes use it with `--preset lite`"


def obtain(library: ModuleType, record: dict[str, Any], name: str, notes: Notes) -> Path:
    """A file of published weights: where one is here already, that; else one that open_clip fetches."""
    return cached(record) or _fetched(library, record, name, notes)


def cached(record: dict[str, Any]) -> Path | None:
    """OpenAI's own file, if it is whole, or one in the hub's cache."""
    own = re.search(r"openaipublic.*/([0-9a-f]{64})/([^/]+)$", record.get("url", ""))
    if own is not None:
        path = paths.given(CACHE) / own[2]
        if os.path.isfile(path) and sha256(path) == own[1]:
            return path
    from huggingface_hub import try_to_load_from_cache

    repository, _, file = record.get("hf_hub", "").rpartition("/")
    files = [file] if file else ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"]
    found = [try_to_load_from_cache(repository, one) for one in files] if repository else []
    return next((Path(one) for one in found if isinstance(one, str)), None)


def _fetched(library: ModuleType, record: dict[str, Any], name: str, notes: Notes) -> Path:
    where = record.get("hf_hub") or record.get("url")
    if places.offline():
        raise MissingWeightsError(
            f"the weights of {name} are not here, and {places.OFFLINE} forbids fetching them from {where}. Looked in "
            f"{CACHE} and in Hugging Face's cache; a file elsewhere can be given as `weights`. {WITHOUT}"
        )
    fault = _unreachable(record)
    if fault is None:
        notes.say(f"fetching the weights of {name} from {where}")
        try:
            with waiting():
                return Path(library.pretrained.download_pretrained(record))
        except Exception as raised:  # of urllib, httpx, huggingface_hub and others
            fault = str(raised).strip().partition("\n")[0] or type(raised).__name__
    raise MissingWeightsError(
        f"the weights of {name} are not here and can't be fetched from {where}: {fault}. {WITHOUT}"
    )


def _unreachable(record: dict[str, Any]) -> str | None:
    """Why the server of these weights, or the proxy on the way, takes no connection; None if it does.

    Asked first, since Hugging Face's library tries again for a minute, and says so at length.
    """
    address = record.get("url") or ""
    if record.get("hf_hub"):
        address = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    parts = proxy(address) or urlsplit(address)
    try:
        socket.create_connection((parts.hostname or "", parts.port or PORTS.get(parts.scheme, 80)), PATIENCE).close()
    except (OSError, ValueError) as fault:
        return f"{parts.hostname} can't be reached ({fault})"
    return None
