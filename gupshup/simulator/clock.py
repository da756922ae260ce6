"""Time in the simulator: delays are simulated seconds, the 24 h window too; `--speed` makes them pass faster."""

import time
from dataclasses import dataclass, field

WINDOW = 24 * 3600.0  # WhatsApp's customer service window, simulated seconds


@dataclass(slots=True)
class Clock:
    """`offset` seconds ahead of this machine; with `simulated`, reports are stamped with simulated time."""

    speed: float = 1.0
    offset: float = 0.0
    simulated: bool = False
    base_real: float = field(default_factory=time.time)
    base_simulated: float = field(default_factory=time.time)

    def wall(self) -> float:
        """This machine's time plus the offset, seconds since 1970."""
        return time.time() + self.offset

    def stamp(self) -> float:
        """The time that reports and messages bear."""
        if not self.simulated:
            return self.wall()
        return self.base_simulated + self.offset + (time.time() - self.base_real) * self.speed

    def change_speed(self, speed: float) -> float:
        """Go on at another speed; simulated time does not jump. Returns old / new: how what is ahead scales."""
        now = time.time()
        self.base_simulated += (now - self.base_real) * self.speed
        self.base_real = now
        factor = self.speed / speed
        self.speed = speed
        return factor

    def real(self, simulated_seconds: float) -> float:
        return simulated_seconds / self.speed

    @property
    def window(self) -> float:
        """Length of the customer service window in real seconds."""
        return self.real(WINDOW)
