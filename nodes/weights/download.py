"""Fetching a file: resumed where it was cut off, from one mirror after another, and named only once it is verified.

What has come so far is in `NAME.part`, and where it came from in `NAME.part.from`; nothing reads these but this file.
"""

import contextlib
import errno
import json
import os
import shutil
import time
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.request import Request

from t2iflow.nodes.core import json_file
from t2iflow.nodes.core.missing import MissingWeightsError
from t2iflow.nodes.core.whole import FULL
from t2iflow.nodes.weights.connection import ask, patience, proxy
from t2iflow.nodes.weights.content import WrongFileError, amount
from t2iflow.nodes.weights.entry import Entry
from t2iflow.nodes.weights.progress import Watch

if TYPE_CHECKING:
    from t2iflow.nodes.core.ambient import Notes

CHUNK = 1 << 20
ATTEMPTS = 3
"""How often in a row an address may fail to bring us further."""
SLOWEST = 1024
"""Bytes a second; what is slower counts as no answer."""
PASSING = (408, 425, 429, 500, 502, 503, 504)
"""Answers of a server that may be other ones a moment later."""


class _GoneError(OSError):
    """An address not worth another try."""


class _DiskFullError(MissingWeightsError):
    """The file does not fit, wherever it comes from."""


def fetch(entry: Entry, watch: Watch, notes: "Notes") -> Path:
    """Fetch a file into the cache, unless it is there by now; MissingWeightsError where no address gives it."""
    with contextlib.suppress(WrongFileError):  # one that is wrong gives way to the right one
        if entry.confirm():
            return entry.own
    record, file, urls = entry.record, entry.file, entry.urls
    size = f", {amount(file.size)}" if file.size else ""
    notes.say(f"fetching `{file.name}` of `{record.name}`{size}, licence {record.licence}, from {urls[0]}")
    faults: list[str] = []
    for url in urls:
        if faults:
            notes.warn(f"{faults[-1]}; asking {url}")
        try:
            _Fetching(entry, url, watch).run()
            return entry.own
        except _DiskFullError:
            raise
        except (OSError, HTTPException, ValueError) as fault:
            reason = fault.reason if isinstance(fault, URLError) and not isinstance(fault, HTTPError) else fault
            way = proxy(url) if isinstance(fault, OSError) else None
            through = f" (through the proxy {way.netloc.rpartition('@')[2]})" if way else ""
            faults.append(f"{url}: {reason or type(fault).__name__}{through}")
    listed = "\n  ".join(faults)
    raise MissingWeightsError(f"`{file.name}` of the weights `{record.name}` can't be fetched:\n  {listed}")


@dataclass
class _Fetching:
    entry: Entry
    url: str
    watch: Watch

    def __post_init__(self) -> None:
        self.file, self.target = self.entry.file, self.entry.own
        self.part = self.target.with_name(f"{self.target.name}.part")
        self.source = self.target.with_name(f"{self.target.name}.part.from")

    def run(self) -> None:
        """Fetch the whole file; where the disk is too full for it, leave nothing."""
        try:
            self._insist()
            self._accept()
        except OSError as fault:
            if fault.errno not in FULL:
                raise
            needed = f"{amount(self.file.size)} are needed" if self.file.size else "it does not fit"
            self._drop()
            raise _DiskFullError(
                f"the disk is too full for `{self.file.name}`: {needed}, and {amount(self._free())} are free in "
                f"{self.target.parent}; make room, or set T2IFLOW_WEIGHTS to a folder on another disk"
            ) from fault

    def _accept(self) -> None:
        """Look at what came, and give it its name; a file that is wrong is thrown away."""
        try:
            self.entry.verify(self.part, bound_for=self.target)
        except WrongFileError:
            self._drop()
            raise
        os.replace(self.part, self.target)
        self.source.unlink(missing_ok=True)

    def _insist(self) -> None:
        """Ask again while that brings us further."""
        failures = 0
        while True:
            before = self._size()
            try:
                self._ask()
                return
            except (OSError, HTTPException) as fault:
                failures = 1 if self._size() - before >= CHUNK else failures + 1
                full = isinstance(fault, OSError) and fault.errno in FULL
                if full or isinstance(fault, _GoneError) or failures >= ATTEMPTS:
                    raise
                time.sleep(patience() / 30 * failures)

    def _ask(self) -> None:
        """One request, from where the last one ended."""
        known = self._known()
        have = self._size() if known else 0
        if have and have == known.get("whole"):
            return
        request = Request(self.url, headers={"User-Agent": "t2iflow", "Accept-Encoding": "identity"})
        if have:
            request.add_header("Range", f"bytes={have}-")
            if known.get("version") and known.get("url") == self.url:
                request.add_header("If-Range", known["version"])
        try:
            answer = ask(request)
        except HTTPError as fault:
            with fault:
                if fault.code == 416:  # what is here is longer than what is there
                    self._drop()
                elif fault.code not in PASSING:
                    raise _GoneError(f"{fault.code} {fault.reason}") from fault
                raise OSError(f"{fault.code} {fault.reason}") from fault
        with answer:
            self._take(answer, have, known.get("whole", 0))

    def _take(self, answer: HTTPResponse, have: int, promised: int) -> None:
        if "html" in answer.headers.get("Content-Type", ""):
            raise WrongFileError("it is a web page")
        start, whole = _extent(answer)
        if start not in (0, have):
            self._drop()  # which such a server could never complete
            raise ConnectionError("it resumes at another place than requested")
        if self.file.exact and whole and whole != self.file.size:
            raise WrongFileError(f"it has {whole} bytes, not {self.file.size}")
        if start and promised and whole and whole != promised:
            self._drop()
            raise ConnectionError("it has changed meanwhile")
        needed = (whole or self.file.size) - start
        if needed > self._free() + (self._size() - start):
            raise OSError(errno.ENOSPC, "the disk is too full")
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        source = {"url": self.url, "version": "" if version.startswith("W/") else version, "whole": whole}
        done = start
        if not start:
            self.part.unlink(missing_ok=True)  # never written through: it may be another file's second name
        self.source.write_text(json.dumps(source), encoding="utf-8")  # which is true of the part from here on
        with self.part.open("ab") as out:
            mark, since = done, time.monotonic()
            while chunk := answer.read1(CHUNK):
                out.write(chunk)
                done += len(chunk)
                self.watch(self.file.name, done, whole or self.file.size)
                if (waited := time.monotonic() - since) > patience():
                    if done - mark < SLOWEST * waited:
                        raise TimeoutError("it has become too slow")
                    mark, since = done, time.monotonic()
            out.flush()
            os.fsync(out.fileno())
        if done < whole:
            raise ConnectionError(f"it was cut after {amount(done)} of {amount(whole)}")

    def _known(self) -> dict[str, Any]:
        """What is known of the part that is here; nothing, where it can't be resumed from this address."""
        source = json_file.read(self.source)
        # Of another address only a part that a digest will judge as a whole.
        return source if source.get("url") == self.url or self.entry.digest else {}

    def _size(self) -> int:
        return self.part.stat().st_size if os.path.exists(self.part) else 0

    def _free(self) -> int:
        return shutil.disk_usage(self.target.parent).free

    def _drop(self) -> None:
        self.part.unlink(missing_ok=True)
        self.source.unlink(missing_ok=True)


def _extent(answer: HTTPResponse) -> tuple[int, int]:
    """At which byte the answer starts (-1 if unknown), and how many the whole file has (0 if unknown)."""
    if answer.status == 206:
        span, _, whole = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        start = span.partition("-")[0]
        return int(start) if start.isdigit() else -1, int(whole) if whole.isdigit() else 0
    length = answer.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else 0
