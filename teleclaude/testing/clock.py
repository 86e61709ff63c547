"""A clock that tests set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

START: Final = datetime(2025, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


class MutableClock:
    """Tells the time it was given last.

    Attributes:
        now: The time it tells.
    """

    def __init__(self, now: datetime = START) -> None:
        """Start the clock."""
        self.now = now

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.now

    def advance(self, seconds: float = 1) -> datetime:
        """Let time pass.

        Args:
            seconds: How much; negative to go back.

        Returns:
            The new time.
        """
        self.now += timedelta(seconds=seconds)
        return self.now
