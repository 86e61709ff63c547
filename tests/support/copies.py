"""What tests of copies share: both places, and progress that remembers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from provisioning import Provisioner, Section
    from teleclaude.config import Config
    from teleclaude.store.transfer import CopyReport


class Place(NamedTuple):
    """A database and how it is configured."""

    provisioner: Provisioner
    section: Section
    config: Config


@dataclass
class Told:
    """Progress that remembers what it was told."""

    messages: list[str] = field(default_factory=list)
    steps: dict[tuple[str, str], int] = field(default_factory=dict)
    totals: dict[tuple[str, str], int] = field(default_factory=dict)
    current: tuple[str, str] = ("", "")

    def say(self, message: str) -> None:
        self.messages.append(message)

    def begin(self, step: str, table: str, total: int) -> None:
        self.current = (step, table)
        self.totals[self.current] = total
        self.steps[self.current] = 0

    def advance(self, rows: int) -> None:
        self.steps[self.current] += rows

    def end(self) -> None:
        self.current = ("", "")


class Copy(Protocol):
    """Copies the source into the target."""

    async def __call__(
        self,
        *,
        online: bool = False,
        replace: bool = False,
        dry_run: bool = False,
        progress: Told | None = None,
    ) -> CopyReport: ...
