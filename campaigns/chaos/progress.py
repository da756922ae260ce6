"""How far a run is: all that befalls it is tied to this, not to the clock, so that a slow machine sees it too."""

from __future__ import annotations

import json
import mmap
import struct
from pathlib import Path

STALL = 2.5  # seconds without a call after which the run creeps on: paused, stopped by the breaker, all workers frozen
FIRST = 30.0  # seconds that the first call may take
CREEP = 4.0  # seconds from beginning to end for a run in which nothing moves


class Progress:
    """Calls made, as a share of those expected; never goes back. Every process of the run sees the same number.

    Made before the processes are forked: the cell is memory that they share.
    """

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._cell = mmap.mmap(-1, 8)
        self._calls = 0
        self._moved: float | None = None
        self._noted = 0.0

    @property
    def share(self) -> float:
        return float(struct.unpack("d", self._cell[:8])[0])

    def note(self, calls: int, now: float) -> None:
        """Look at the number of calls, again and again, on a monotonic clock."""
        if self._moved is None or calls > self._calls:
            self._moved, self._calls = now, calls
        share = max(self.share, calls / self._expected)
        if now - self._moved > (STALL if calls else FIRST):
            share += (now - self._noted) / CREEP
        self._noted = now
        self._cell[:8] = struct.pack("d", share)


class Calls:
    """Counts the calls in a ledger that grows."""

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._read = 0
        self.made = 0

    def count(self) -> int:
        """All calls so far, accepted or not."""
        try:
            with self._ledger.open("rb") as file:
                file.seek(self._read)
                news = file.read()
        except FileNotFoundError:
            return 0
        whole = news[: news.rfind(b"\n") + 1]
        self._read += len(whole)
        self.made += sum(json.loads(line)["record"] in ("accepted", "refused") for line in whole.splitlines())
        return self.made
