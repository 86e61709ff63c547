"""Writes a new revision: what has to be done to the schema at head to make it what the models say.

    python scripts/new_revision.py "Add the colour of a session"

It is a draft. Read it, fill in what nobody can derive from the models (what becomes of existing
rows), and run the migration tests, which hold revisions and models in step on every engine.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent, indent
from typing import TYPE_CHECKING, Final, Literal

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from sqlalchemy.sql.elements import False_, True_

from teleclaude import migrations
from teleclaude.backends import load_backend
from teleclaude.migrations import Migrator
from teleclaude.store import types
from teleclaude.store.models import metadata

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import DowngradeOps, MigrationScript, UpgradeOps
    from sqlalchemy import Connection

VERSIONS: Final = Path(migrations.__file__).parent / "versions"

TEMPLATE: Final = '''"""{title}."""

import sqlalchemy as sa
from alembic import op

from teleclaude.store import types

revision = "{revision}"
down_revision = "{down_revision}"


def upgrade() -> None:
    """Say what is done."""
    {upgrade}


def downgrade() -> None:
    """Say what is undone."""
    {downgrade}
'''


async def write_revision(title: str) -> Path:
    """Write the draft of a revision.

    Args:
        title: What it does, one line.

    Returns:
        The new file.
    """
    # The smallest engine will do: a revision is written in logical types and serves them all.
    backend = load_backend("sqlite")
    with TemporaryDirectory() as directory:
        settings = backend.settings_class.model_validate({"path": f"{directory}/head.db"})
        engine = backend.create_engine(settings)
        await Migrator(backend, settings, engine, metadata).upgrade()
        async with engine.connect() as connection:
            script, head = await connection.run_sync(_compare)
        await engine.dispose()
    revision = f"{int(head) + 1:04}"
    slug = re.sub(r"\W+", "_", title.lower()).strip("_")
    file = VERSIONS / f"{revision}_{slug}.py"
    text = TEMPLATE.format(
        title=title.rstrip("."),
        revision=revision,
        down_revision=head,
        upgrade=_code(script.upgrade_ops),
        downgrade=_code(script.downgrade_ops),
    )
    file.write_text(text, encoding="utf-8")
    return file


def _compare(connection: Connection) -> tuple[MigrationScript, str]:
    options = {"compare_type": True, "compare_server_default": _compare_default}
    context = MigrationContext.configure(connection, opts=options)
    return produce_migrations(context, metadata), str(context.get_current_revision())


def _compare_default(*arguments: object) -> bool | None:
    column = arguments[2]
    return False if getattr(column, "identity", None) is not None else None


def _code(operations: UpgradeOps | DowngradeOps | None) -> str:
    if operations is None:  # which Alembic's types allow and autogenerate never gives
        return "pass"
    code = render_python_code(operations, render_as_batch=True, render_item=_render)
    lines = [line for line in code.splitlines() if not line.lstrip().startswith("# ###")]
    return indent(dedent("\n".join(lines)), "    ").strip()


def _render(kind: str, item: object, _context: AutogenContext) -> str | Literal[False]:
    """Write what Alembic would write in terms of one engine in terms of all of them."""
    if kind == "type" and type(item).__module__ == types.__name__:
        return f"types.{type(item).__name__}()"
    value = getattr(item, "arg", None) if kind == "server_default" else None
    return f"sa.{value}()" if isinstance(value, True_ | False_) else False


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004 - the program and the title
        sys.exit(__doc__)
    print(asyncio.run(write_revision(sys.argv[1])))  # noqa: T201
