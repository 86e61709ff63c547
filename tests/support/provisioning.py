"""Where the store tests get their databases from: one provisioner for each engine.

Only the core's own tests use it; the conformance kit, with which backends prove themselves, has no
need of it. The tests themselves never ask which engine they run on.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

Section: TypeAlias = Mapping[str, object]
"""The `database:` section of a configuration."""


class Provisioner(Protocol):
    """Makes and removes databases of one engine, and does to them what tests cannot do portably."""

    def section(self) -> Section:
        """Make an empty database."""
        ...

    def drop(self, section: Section) -> None:
        """Remove a database, ending whatever connections it still has."""
        ...

    def execute(
        self, sql: str, *arguments: object, section: Section | None = None
    ) -> list[tuple[object, ...]]:
        """Run a statement on a connection of its own, without TeleClaude."""
        ...

    def cut_connections(self, section: Section) -> None:
        """End all connections of a database, as a restarting server does; nothing without one."""
        ...

    def unreachable(self, section: Section) -> Section:
        """Give a section like this one that leads nowhere, with a secret if there can be one."""
        ...

    def awkward(self, section: Section) -> Section:
        """Give a section of an empty database whose values try every kind of quoting."""
        ...

    def close(self) -> None:
        """Remove everything that is left."""
        ...


_PROVISIONERS: Final = {
    "sqlite": ("sqlite_provisioning", "SqliteProvisioner"),
    "postgresql": ("postgres_store_provisioning", "PostgresStoreProvisioner"),
}

AWKWARD: Final = """100 %, %s %(name)s %% 'single' "double" `back` $HOMER {0} ?#&="""
"""Text that is harmless only for who quotes properly; it may be part of a path."""

SECRET: Final = "correct-horse-battery"
"""The secret in the section that `unreachable` gives."""


def make_provisioner(engine: str, directory: Path) -> Provisioner:
    """Make the provisioner of an engine, importing only what that engine needs.

    Args:
        engine: The engine.
        directory: Where it may put files.
    """
    module, name = _PROVISIONERS[engine]
    provisioner: Provisioner = getattr(import_module(module), name)(directory)
    return provisioner
