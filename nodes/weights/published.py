"""Weights of generators that are published: where they are served, and what is known of them.

Those of others are described in `published.json`, our own in `small/weights.json`, by the fields of `Record` and
`File`. No source states a digest of most of these files; such a file is trusted when it is first seen, and pinned from
then on.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from t2iflow.nodes.weights.records import SMALL, File, Record


def _described(path: Path) -> Iterator[Record]:
    """The weights that a file describes, by name."""
    for name, fields in json.loads(path.read_text(encoding="utf-8")).items():
        files = {role: File(**file) for role, file in fields.pop("files").items()}
        yield Record(name, files=files, **fields)


def _bundled() -> Iterator[Record]:
    """Those that we trained ourselves: training/README.md says on what."""
    for record in _described(SMALL / "weights.json"):
        files = {
            role: replace(file, exact=True, kept=str(SMALL / record.name / file.name))
            for role, file in record.files.items()
        }
        yield replace(record, files=files, licence="MIT; of what pictures: LICENSES.md beside them")


KNOWN: Mapping[str, Record] = {
    record.name: record for record in (*_described(Path(__file__).with_suffix(".json")), *_bundled())
}
"""All that is published, by name."""
