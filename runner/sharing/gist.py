"""Gists of GitHub: which file of one is meant, and where it is fetched from."""

import io
import json
from collections.abc import Mapping
from re import Match
from typing import Any

from t2iflow.nodes.core.spelling import suggest
from t2iflow.nodes.core.texts import in_line, shortened
from t2iflow.runner.sharing.address import AddressError
from t2iflow.runner.sharing.fetching import fetch

API = "https://api.github.com/gists"
MOST = 16_000_000
"""Bytes of a gist's description, in which its files are too."""
RECIPES = (".yaml", ".yml")
OFFERED = 5


def raw(gist: "Match[str]") -> str:
    """Where the file of a gist is fetched from; AddressError where there are several and none is named."""
    name, revision, wanted = gist["id"], gist["revision"], gist["file"]
    about = _about(f"{API}/{name}/{revision}" if revision else f"{API}/{name}")
    try:
        if not revision:
            newest = f"gist:{name}@{about['history'][0]['version']}"
            raise AddressError(f"a gist may change, so its revision must be named; the newest is `{newest}`")
        files = {str(file): str(said["raw_url"]) for file, said in about["files"].items()}
    except (KeyError, TypeError, IndexError, AttributeError) as fault:
        raise AddressError("GitHub describes the gist in a way that this version doesn't read") from fault
    return files[_chosen(files, wanted, f"gist:{name}@{revision}")]


def _chosen(files: Mapping[str, str], wanted: str | None, gist: str) -> str:
    if wanted in files:
        return str(wanted)
    offered = [file for file in files if file.lower().endswith(RECIPES)] or list(files)
    named = ", ".join(f"`{gist}/{shortened(in_line(file))}`" for file in offered[:OFFERED])
    if wanted:
        near = suggest(wanted, files)
        raise AddressError(f"the gist has no file `{wanted}`; " + (near or f"it has {named}"))
    if len(offered) != 1:
        raise AddressError(f"the gist has {len(files)} files; name one: {named}" if files else "the gist has no files")
    return offered[0]


def _about(url: str) -> dict[str, Any]:
    """What GitHub says about a gist."""
    text = io.BytesIO()
    fetch(url, text, lambda _: MOST)
    try:
        said = json.loads(text.getvalue())
    except (ValueError, RecursionError):
        raise AddressError("GitHub's answer about the gist isn't JSON") from None
    if not isinstance(said, dict):
        raise AddressError("GitHub's answer about the gist is of an unknown form")
    return said
