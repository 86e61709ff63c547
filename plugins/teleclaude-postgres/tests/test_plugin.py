"""The distribution as the core sees it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from teleclaude.backends import LogicalType
from teleclaude_postgres.settings import PostgresSettings

if TYPE_CHECKING:
    from teleclaude.backends import Backend


def test_is_found_and_fits_the_contract(backend: Backend) -> None:
    """The entry point leads to a backend that has every required hook."""
    assert backend.settings_class is PostgresSettings
    assert backend.distribution == "teleclaude-postgres"
    assert backend.knows_lock_holder


def test_types_of_all_logical_types(backend: Backend) -> None:
    """Each logical type has one of PostgreSQL's own types."""
    from teleclaude_postgres.plugin import teleclaude_column_types  # noqa: PLC0415

    dialect = backend.create_engine(PostgresSettings()).dialect
    types = {key: type_.compile(dialect) for key, type_ in teleclaude_column_types().items()}
    assert types == {
        LogicalType.KEY: 'TEXT COLLATE "C"',
        LogicalType.TEXT: 'TEXT COLLATE "C"',
        LogicalType.INSTANT: "TIMESTAMP WITH TIME ZONE",
        LogicalType.DOCUMENT: "JSONB",
        LogicalType.FLAG: "BOOLEAN",
        LogicalType.SURROGATE_KEY: "BIGINT",
        LogicalType.INTEGER: "BIGINT",
    }


def test_listing_it_does_not_load_the_driver() -> None:
    """Loading the backend imports neither its driver nor anything of SQLite's."""
    program = (
        "import sys; from teleclaude.backends import load_backend; load_backend('postgresql');"
        "print(sorted({'asyncpg', 'aiosqlite', 'teleclaude_sqlite'} & set(sys.modules)))"
    )
    output = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert output.strip() == "[]"
