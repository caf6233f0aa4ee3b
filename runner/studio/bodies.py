"""What a request asks for, read with limits and checked: the parts of an address, and JSON."""

import asyncio
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from starlette.requests import ClientDisconnect, Request

from t2iflow.nodes.core.spelling import suggest
from t2iflow.runner.studio.refused import Refused

MOST = 4_000_000
"""Bytes of JSON: a recipe's text, and what is changed in it."""
MOST_DROPPED = 1_000_000_000
"""Bytes of a file that is dropped."""
PATIENCE = 30.0
"""Seconds that the next part of a body may take."""

Shape: TypeAlias = Mapping[str, Any]
"""The names that a body may have, each with the types that its value may be of."""

SOURCE: Shape = {"recipe": str, "run": str, "dropped": str, "text": str, "presets": list, "set": dict}
SAVED: Shape = {"recipe": str, "text": str, "was": str}
STEER: Shape = {"set": dict}
FORK: Shape = {"set": dict, "at": str}


async def body(request: Request, shape: Shape) -> dict[str, Any]:
    """What a request says in JSON, without names that are null; Refused where it has another shape."""
    parts: list[bytes] = []
    async for part in _parts(request, MOST):
        parts.append(part)
    try:
        said = json.loads(b"".join(parts) or b"{}", parse_constant=_no_number)
    except (ValueError, RecursionError) as fault:
        raise Refused(400, f"the request is not JSON: {fault}") from fault
    if not isinstance(said, dict):
        raise Refused(400, "the request must be a JSON object")
    return {name: value for name, value in said.items() if _fits(name, value, shape)}


async def save(request: Request, path: Path) -> None:
    """Write the body of a request into a new file; Refused, and nothing left there, if it is too large."""
    try:
        with path.open("xb") as file:
            async for part in _parts(request, MOST_DROPPED):
                await asyncio.to_thread(file.write, part)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def number(request: Request, name: str, default: int, least: int, most: int) -> int:
    """A whole number in the address, brought between these."""
    try:
        return min(max(int(request.query_params.get(name, default)), least), most)
    except ValueError:
        raise Refused(400, f"`{name}` must be a whole number") from None


def _fits(name: str, value: Any, shape: Shape) -> bool:
    """Whether there is a value; Refused where it is none that there may be."""
    if name not in shape:
        near = suggest(name, shape) or f"it may have {', '.join(shape)}"
        raise Refused(400, f"the request has an unknown `{name}`; {near}")
    if value is None:
        return False
    if not isinstance(value, shape[name]):
        raise Refused(400, f"`{name}` of the request must be {_WORDS[shape[name]]}")
    if name == "presets" and not all(isinstance(one, str) for one in value):
        raise Refused(400, "`presets` of the request must be a list of texts")
    return True


_WORDS = {str: "a text", list: "a list", dict: "an object"}


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is not a number in JSON")


async def _parts(request: Request, most: int) -> Any:
    """The body, part by part; Refused if it has more bytes than this, or does not come."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > most:
        raise Refused(413, _too_large(most))
    count, stream = 0, request.stream()
    while True:
        try:
            part = await asyncio.wait_for(anext(stream, b""), PATIENCE)
        except (TimeoutError, asyncio.TimeoutError):
            raise Refused(408, "the rest of the request is missing") from None
        except ClientDisconnect:
            raise Refused(400, "the request broke off") from None
        if not part:
            return
        count += len(part)
        if count > most:
            raise Refused(413, _too_large(most))
        yield part


def _too_large(most: int) -> str:
    return f"it is too large: at most {math.floor(most / 1e6)} MB are taken"
