"""Which chunks of messages stand here already, as they are in the source now."""

from __future__ import annotations

from campaigns.legacy.models import LegacyChunk
from campaigns.legacy.prints import Prints


class Marks:
    """What earlier runs noted about one source. A note is written in the transaction that writes its chunk."""

    def __init__(self, source: str, prints: Prints) -> None:
        self._source, self._prints = source, prints
        self._known = {
            last: bytes(seen) for last, seen in LegacyChunk.objects.filter(source=source).values_list("last", "seen")
        }

    def done(self, last: int) -> bool:
        return self._known.get(last) == self._prints.after(last)

    def note(self, last: int) -> None:
        LegacyChunk.objects.update_or_create(
            source=self._source, last=last, defaults={"seen": self._prints.after(last)}
        )
