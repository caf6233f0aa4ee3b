"""A file that leads the browser to the studio: everybody on the machine can read a browser's command line, so the token
must not be on it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = "open.html"


@contextmanager
def door(folder: Path, address: str) -> Iterator[str]:
    """The address of a file in the folder that leads to the studio's, while it is open; only the user can read it."""
    path = folder / NAME
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(leading_to(address))
    try:
        yield path.as_uri()
    finally:
        path.unlink(missing_ok=True)


def leading_to(address: str) -> str:
    """A page that leads to an address at once."""
    return (
        '<!doctype html><meta charset="utf-8"><title>t2iflow</title>'
        f'<meta http-equiv="refresh" content="0; url={address}"><a href="{address}">Open the studio</a>\n'
    )
