"""What the store tests need of PostgreSQL beyond fresh databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postgres_provisioning import PostgresProvisioner
from provisioning import AWKWARD, SECRET

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning import Section

_CUT = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = $1 AND pid <> pg_backend_pid()
"""


class PostgresStoreProvisioner(PostgresProvisioner):
    """The provisioner of the store tests."""

    def __init__(self, _directory: Path) -> None:
        """Prepare; the server keeps its own directory."""
        super().__init__()

    def cut_connections(self, section: Section) -> None:
        """Let the server end all sessions of a database."""
        self.execute(_CUT, section["dbname"])

    def unreachable(self, section: Section) -> Section:
        """Name a directory without a socket."""
        return {**section, "host": "/nonexistent", "port": 1, "password": SECRET}

    def awkward(self, section: Section) -> Section:
        """Give such a password, where the server does not ask for the right one."""
        return {**section, "password": section.get("password", AWKWARD)}
