"""Weights by name: those that are published, and those that a user added under a name of their own."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from t2iflow.nodes.core import json_file, paths
from t2iflow.nodes.core.whole import write
from t2iflow.nodes.weights import places
from t2iflow.nodes.weights.families import FAMILIES
from t2iflow.nodes.weights.published import KNOWN
from t2iflow.nodes.weights.records import File, Record

ADDED = "added.json"
"""What is known of weights that the user added, in the folder of their files."""


def find(name: str) -> Record | None:
    """The record of a name, if weights have it."""
    if name in KNOWN:
        return KNOWN[name]
    if not name or Path(name).name != name or name in (".", ".."):
        return None
    saved = json_file.read(places.cache() / name / ADDED)
    try:
        family, files = saved["family"], saved["files"]
        return added(name, family, {role: str(files[role]) for role in FAMILIES[family].files if role in files})
    except (KeyError, TypeError):
        return None


def every() -> Iterator[Record]:
    """All records, the published ones first."""
    yield from KNOWN.values()
    for path in paths.matching(places.cache(), f"*/{ADDED}"):
        record = find(path.parent.name)
        if record is not None and record.name not in KNOWN:
            yield record


def added(name: str, family: str, files: Mapping[str, str]) -> Record:
    """The record of weights of the user's own, from the names of their files by role."""
    return Record(name, family, "added here", {role: File(file) for role, file in files.items()})


def keep(record: Record) -> Record:
    """Note what weights of the user's own are made of, beside the files that were added to them before; gives all."""
    before = find(record.name)
    kept = before.files if before else {}
    names = {role: file.name for role, file in {**kept, **record.files}.items()}
    content = {"family": record.family, "files": names}
    write(places.cache() / record.name / ADDED, json.dumps(content), lasting=True)
    return added(record.name, record.family, names)
