"""Recipes at addresses, as commands take them: looked at freely, and run only once the user has confirmed them."""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from t2iflow.runner import console
from t2iflow.runner.exits import FAILED, UsageError

if TYPE_CHECKING:
    from t2iflow.runner.request import Request
    from t2iflow.runner.sharing.address import Address

Yes = Annotated[
    bool, typer.Option("--yes", help="Run a recipe at an address without being asked; its #sha256= is required.")
]


def looked(request: "Request") -> "Request":
    """The request for what is at its address now, whose digest is printed; any other as it is."""
    from t2iflow.pipelines.problems import RecipeError

    try:
        address = _unpinned(request)
    except RecipeError:  # which is reported with the mistakes of others, when this is read
        return request
    if address is None:
        return request
    console.err().say(f"note: what is there now is {address}")
    return replace(request, where=str(address))


def agreed(request: "Request", device: str, yes: bool) -> "Request":
    """The request for what is at its address now, once the user has confirmed it, now or before; any other as it is.

    UsageError where nobody can be asked; the program ends where the user says no."""
    from t2iflow.runner.sharing import memory

    address = _unpinned(request)
    if address is None:
        return request
    if yes:
        raise UsageError(f"`--yes` confirms only what a digest names; what is there now is\n  {address}")
    pinned, before = replace(request, where=str(address)), memory.confirmed(address)
    if before and before.digest == address.digest:
        console.err().say(f"note: {address.where} is what you confirmed on {before.day}")
        return pinned
    _ask(pinned, address, device, f"it has CHANGED since you confirmed it on {before.day}" if before else "")
    memory.confirm(address)
    return pinned


def terminal() -> bool:
    """Whether there is somebody who can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _unpinned(request: "Request") -> "Address | None":
    """The address that is requested without a digest, with that of what is there now."""
    from t2iflow.runner.opening import addressed, pinned

    address = addressed(request.where)
    return None if address is None or address.digest else pinned(address)


def _ask(pinned: "Request", address: "Address", device: str, changed: str) -> None:
    from t2iflow.runner.preview.preview import preview
    from t2iflow.runner.preview.question import question

    shown = question(preview(pinned.plan(), device))
    if not terminal():
        raise UsageError(
            f"a recipe at an address runs once you have confirmed it{'; ' + changed if changed else ''}. There is no"
            f" terminal to ask at: look at it with `t2iflow plan`, and then name just this content:\n  {address}"
        )
    console.err().say("at ", (address.where, "bold"), ":")
    if changed:
        console.err().say((changed, "bold red"))
    console.err().say(shown)
    console.err().say(f"sha256: {address.digest}")
    console.err().say("It can run only these nodes, and can't read your files.")
    if not typer.confirm("Run it?", err=True):
        console.fail("not confirmed, so nothing was run", FAILED)
