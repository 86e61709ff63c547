"""Running Alembic from code: upgrade, downgrade, current, history, check, DDL.

One tree of revisions for all engines. What an engine needs around a migration is its backend's
`teleclaude_migration_context`: the transaction, the guard that lets one process migrate at a time.
"""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, inspect, select, table
from sqlalchemy.engine.mock import MockConnection
from sqlalchemy.util import await_only

from teleclaude.backends import DAEMON_LOCK, locked
from teleclaude.backends.translation import translated
from teleclaude.errors import (
    AdoptionError,
    BackendIncompleteError,
    MigrationError,
    SchemaOutdatedError,
    SchemaTooNewError,
    TeleclaudeError,
)
from teleclaude.migrations.adoption import (
    computed_columns,
    created_tables,
    removed_if_undone,
    require_complete,
)
from teleclaude.migrations.differences import describe
from teleclaude.migrations.outcomes import DryRun, Migrated, Revision, Wanted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from sqlalchemy import Connection, MetaData, Table
    from sqlalchemy.ext.asyncio import AsyncEngine

    from teleclaude.backends import Adoption, Backend, BackendSettings

_HERE: Final = Path(__file__).parent

BASE: Final = "base"
HEAD: Final = "head"

UNFINISHED_COPY: Final = "unfinished copy"
"""Stands in the place of the revision while a store is being copied into the database, so that
nobody takes a half for the whole."""

_ALEMBIC: Final = threading.Lock()
"""Alembic keeps the migration that is running in global variables (`alembic.op`), so a process runs
one at a time, of whatever database, in whatever task or thread."""

_POLL: Final = 0.02
"""Seconds between two looks whether another migration of this process has ended."""

_COMPARE: Final = {"compare_type": True, "compare_server_default": True}


class Migrator:
    """The schema of one database."""

    def __init__(
        self,
        backend: Backend,
        settings: BackendSettings,
        engine: AsyncEngine,
        metadata: MetaData,
        *,
        versions: Sequence[Path] = (_HERE / "versions",),
    ) -> None:
        """Make a migrator; nothing is connected.

        Args:
            backend: The engine's backend.
            settings: Where the database is.
            engine: An engine that the backend made from the settings.
            metadata: The tables as the models declare them.
            versions: The directories that hold the revisions.
        """
        self._backend = backend
        self._settings = settings
        self._engine = engine
        self._metadata = metadata
        self._config = Config()
        self._config.set_main_option("path_separator", "os")
        self._config.set_main_option("script_location", _escape(str(_HERE)))
        self._config.set_main_option(
            "version_locations", _escape(os.pathsep.join(map(str, versions)))
        )
        self._scripts = ScriptDirectory.from_config(self._config)

    @property
    def head(self) -> str | None:
        """The revision this version of TeleClaude expects."""
        return self._scripts.get_current_head()

    def history(self) -> Sequence[Revision]:
        """List all revisions this version of TeleClaude knows, oldest first."""
        scripts = list(self._scripts.walk_revisions())
        return [
            Revision(script.revision, _single(script.down_revision), script.doc.rstrip("."))
            for script in reversed(scripts)
        ]

    async def current(self) -> str | None:
        """Give the database's revision, `None` when it has none.

        Raises:
            StoreUnavailableError: The database does not exist or cannot be reached.
        """
        with translated(self._backend, self._settings.location):
            async with self._engine.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                return await connection.run_sync(_current)

    async def require_head(self) -> None:
        """Make sure that the database is at the revision this version of TeleClaude expects.

        Raises:
            SchemaOutdatedError: It is older, or empty.
            SchemaTooNewError: It is newer.
            StoreUnavailableError: It does not exist or cannot be reached.
        """
        current = await self.current()
        if current == self.head:
            return
        self.require_known(current)
        message = (
            f"The schema of {self._settings.location} is at revision {current or 'none'}; "
            f"this version of TeleClaude needs {self.head}."
        )
        raise SchemaOutdatedError(message, hint="Upgrade it: teleclaude db upgrade")

    async def upgrade(
        self, target: str = HEAD, *, own_lock: bool = False, strict: bool = False
    ) -> Migrated:
        """Bring the schema forward.

        When it is there already, nothing happens and no lock is taken. A database that an earlier
        TeleClaude made is adopted: converted to the first revision.

        Args:
            target: A revision, or `head`.
            own_lock: Whether the caller holds the daemon's instance lock.
            strict: Whether to refuse an adoption that would leave something in quarantine.

        Returns:
            What was done.

        Raises:
            MigrationError: A revision failed, or there is none of that name; nothing was changed.
            SchemaTooNewError: The database is newer than this version of TeleClaude.
            AdoptionError: The database holds tables that no revision of ours made, and they cannot
                be adopted.
            InstanceLockedError: A daemon is using the database.
            StoreUnavailableError: The database cannot be reached.
        """
        with translated(self._backend, self._settings.location):
            self._backend.prepare_storage(self._settings)
        how = Wanted(None, forward=True, strict=strict)
        return await self._migrate(target, how, own_lock=own_lock)

    async def adopt(self, *, strict: bool = False, dry_run: bool = False) -> Migrated:
        """Convert a database that an earlier TeleClaude made, and bring it to the head.

        Args:
            strict: Whether to refuse one of which something would be left in quarantine.
            dry_run: Whether to undo it all at the end, to see only what would be done.

        Returns:
            What was done; its `adoption` says what was converted.

        Raises:
            AdoptionError: There is nothing to adopt, or it cannot be adopted.
            MigrationError: As for `upgrade`, and the other errors too.
        """
        if (current := await self.current()) is not None:
            message = f"{self._settings.location} is at revision {current}: nothing to adopt."
            raise AdoptionError(message, hint="Upgrade it: teleclaude db upgrade")
        how = Wanted(None, forward=True, adopt_only=True, strict=strict, dry_run=dry_run)
        return await self._migrate(HEAD, how, own_lock=False)

    async def downgrade(self, target: str) -> Migrated:
        """Bring the schema back; data that the older schema has no place for is lost.

        Args:
            target: A revision, `base`, or a step such as `-1`.

        Returns:
            What was done.

        Raises:
            MigrationError: As for `upgrade`, and the other errors too.
        """
        return await self._migrate(target, Wanted(None, forward=False), own_lock=False)

    async def check(self) -> Sequence[str]:
        """Compare the database with the models.

        Returns:
            The differences, one line each; none when they agree.
        """
        with translated(self._backend, self._settings.location):
            async with self._engine.connect() as connection:
                return await connection.run_sync(self._differences)

    async def count_rows(self) -> Mapping[str, int]:
        """Count the rows of each table of the models that exists, by name."""
        with translated(self._backend, self._settings.location):
            async with self._engine.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                return await connection.run_sync(_count_rows, self._metadata)

    def sql(self, target: str = HEAD) -> str:
        """Give the SQL that creates the schema from nothing, for the engine of the backend.

        Args:
            target: A revision, or `head`.

        Returns:
            A script.
        """
        script = StringIO()
        connection = MockConnection(self._engine.dialect, lambda *_args, **_kwargs: None)
        with self._configured(connection, transactional_ddl=True, output_buffer=script):
            command.upgrade(self._config, target, sql=True)
        return script.getvalue()

    async def _migrate(self, target: str, how: Wanted, *, own_lock: bool) -> Migrated:
        before = await self.current()
        self.require_known(before)
        revision = self._resolve(target, before, forward=how.forward)
        if before == revision:
            return Migrated(before, revision, None)
        if not own_lock:
            await self._refuse_beside_daemon()
        wanted = how._replace(revision=revision)
        with translated(self._backend, self._settings.location):
            # Fresh databases have nothing to lose, and a copy of one would only confuse.
            backup = await self._backend.backup(self._engine, self._settings) if before else None
            async with _alone(), self._engine.connect() as connection:
                try:
                    return await connection.run_sync(self._apply, wanted, backup)
                except DryRun as tried:
                    return tried.migrated

    def _apply(self, connection: Connection, wanted: Wanted, backup: Path | None) -> Migrated:
        with (
            removed_if_undone(connection) as copies,
            self._backend.migration_context(connection) as options,
        ):
            before = _current(connection)
            if before == wanted.revision:
                return Migrated(before, wanted.revision, backup)  # another process was faster
            if before is None:
                adoption = self._backend.adopt(connection, self._settings)
                if adoption is not None:
                    return self._adopt(connection, adoption, wanted, options, copies)
            self._refuse_foreign_tables(connection, before, wanted)
            self._run_revisions(connection, before, wanted, options)
        return Migrated(before, wanted.revision, backup)

    def _adopt(
        self,
        connection: Connection,
        adoption: Adoption,
        wanted: Wanted,
        options: Mapping[str, object],
        copies: list[Path],
    ) -> Migrated:
        first = self.history()[0].id

        def create_schema() -> Sequence[Table]:
            with (
                created_tables(connection) as tables,
                self._configured(connection, **options),
                _explained(None, first),
            ):
                command.upgrade(self._config, first)
            return tables

        # Nobody else can write from here on, so the copy is exactly what is converted.
        original = await_only(self._backend.backup(self._engine, self._settings))
        if original is None:
            message = f"{self._backend} can adopt a database but makes no copy of it first."
            raise BackendIncompleteError(message, hint="It must implement teleclaude_backup.")
        copies.append(original)
        report = adoption.convert(original, create_schema, computed_columns(self._metadata))
        if wanted.strict:
            require_complete(report, self._settings.location)
        if first != wanted.revision:
            self._run_revisions(connection, first, wanted, options)
        if wanted.dry_run:
            raise DryRun(Migrated(None, wanted.revision, None, report))
        return Migrated(None, wanted.revision, original, report)

    def _run_revisions(
        self,
        connection: Connection,
        before: str | None,
        wanted: Wanted,
        options: Mapping[str, object],
    ) -> None:
        counts = _count_rows(connection, self._metadata)
        run = command.upgrade if wanted.forward else command.downgrade
        with self._configured(connection, **options), _explained(before, wanted.revision):
            run(self._config, wanted.revision or BASE)
        self._check_rows(connection, counts, before, wanted.revision)

    def _differences(self, connection: Connection) -> Sequence[str]:
        context = MigrationContext.configure(
            connection, opts={**_COMPARE, "include_object": self._is_modelled}
        )
        found = compare_metadata(context, self._metadata)
        return [line for item in found for line in describe(item, connection.dialect)]

    def _is_modelled(self, _item: object, name: str | None, _kind: str, *_: object) -> bool:
        # What belongs to an engine's own way of searching is in no model.
        return name not in self._search_objects

    @cached_property
    def _search_objects(self) -> frozenset[str]:
        searches = [
            self._backend.text_search(table, column.name)
            for table in self._metadata.tables.values()
            for column in table.columns
            if column.info.get("searched")
        ]
        return frozenset().union(*(search.owned for search in searches if search))

    @contextmanager
    def _configured(self, connection: object, **options: object) -> Iterator[None]:
        self._config.attributes["options"] = {
            "connection": connection,
            "target_metadata": self._metadata,
            "backend": self._backend,
            **options,
        }
        try:
            yield
        finally:
            del self._config.attributes["options"]

    def _order(self) -> Sequence[str | None]:
        return [None, *(revision.id for revision in self.history())]

    def require_known(self, current: str | None) -> None:
        """Make sure that a database's revision is one of ours.

        Args:
            current: What `current` gave.

        Raises:
            SchemaTooNewError: It is not.
            MigrationError: The database is half of a copy.
        """
        if current in self._order():
            return
        if current == UNFINISHED_COPY:
            message = f"The copy of a store into {self._settings.location} was not finished."
            hint = "Run `teleclaude db copy` or `db restore` again, whichever it was; it continues."
            raise MigrationError(message, hint=hint)
        message = (
            f"The schema of {self._settings.location} is at revision {current}, which this version "
            f"of TeleClaude does not know (it knows up to {self.head})."
        )
        raise SchemaTooNewError(
            message, hint="Upgrade TeleClaude: pip install --upgrade teleclaude"
        )

    def _resolve(self, target: str, current: str | None, *, forward: bool) -> str | None:
        order = self._order()
        here = order.index(current)
        steps = int(target[1:]) if target[:1] == "-" and target[1:].isdecimal() else None
        names = {BASE: None, HEAD: self.head}
        if steps is not None and steps <= here:
            wanted = order[here - steps]
        elif target in names or target in order:
            wanted = names.get(target, target)
        else:
            known = ", ".join(str(revision) for revision in order[1:])
            message = f"There is no revision {target!r} (known: {known})."
            raise MigrationError(message)
        if forward != (order.index(wanted) >= here) and wanted != current:
            word, other = ("older", "downgrade") if forward else ("newer", "upgrade")
            message = f"Revision {wanted or BASE} is {word} than the database's, {current or BASE}."
            raise MigrationError(message, hint=f"Use: teleclaude db {other} {wanted or BASE}")
        return wanted

    def _refuse_foreign_tables(
        self, connection: Connection, current: str | None, wanted: Wanted
    ) -> None:
        if current is not None:
            return
        location = self._settings.location
        found = sorted(set(inspect(connection).get_table_names()) & set(self._metadata.tables))
        if found:
            message = (
                f"The database {location} has tables of TeleClaude ({', '.join(found)}) "
                "but no revision: somebody else than TeleClaude made them."
            )
            raise AdoptionError(message, hint="Nothing was changed; name another database.")
        if wanted.adopt_only:
            message = f"No earlier TeleClaude made the database {location}: nothing to adopt."
            raise AdoptionError(message, hint="Create the schema: teleclaude db upgrade")

    async def _refuse_beside_daemon(self) -> None:
        holder = await self._backend.lock_holder(self._settings, DAEMON_LOCK)
        if holder is not None:
            raise locked(DAEMON_LOCK, self._settings.location, holder)

    def _check_rows(
        self,
        connection: Connection,
        before: Mapping[str, int],
        start: str | None,
        end: str | None,
    ) -> None:
        order = self._order()
        first, last = sorted((order.index(start), order.index(end)))
        allowed: set[str] = set()
        for revision in order[first + 1 : last + 1]:
            module = self._scripts.get_revision(revision or BASE).module
            allowed.update(getattr(module, "deletes_rows_from", ()))
        after = _count_rows(connection, self._metadata)
        lost = [
            f"{name} ({before[name]} rows before, {after[name]} after)"
            for name in sorted(before.keys() & after.keys() - allowed)
            if after[name] < before[name]
        ]
        if lost:
            message = f"The migration would lose rows of {', '.join(lost)}; it was undone."
            raise MigrationError(
                message, hint="This is a defect of the revision; please report it."
            )


@asynccontextmanager
async def _alone() -> AsyncIterator[None]:
    # Never blocking: the one that is waited for may be a task of this very thread.
    while not _ALEMBIC.acquire(blocking=False):  # noqa: ASYNC110 - no event crosses event loops
        await asyncio.sleep(_POLL)
    try:
        yield
    finally:
        _ALEMBIC.release()


@contextmanager
def _explained(before: str | None, wanted: str | None) -> Iterator[None]:
    try:
        yield
    except (TeleclaudeError, OSError):
        raise
    except Exception as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        message = (
            f"The migration from {before or BASE} to {wanted or BASE} failed and was undone: "
            f"{type(error).__name__}: {reason.rstrip('.')}."
        )
        raise MigrationError(message) from error


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _count_rows(connection: Connection, metadata: MetaData) -> Mapping[str, int]:
    names = set(inspect(connection).get_table_names()) & set(metadata.tables)
    counts = {}
    for name in sorted(names):
        statement = select(func.count()).select_from(table(name))
        counts[name] = connection.execute(statement).scalar_one()
    return counts


def _escape(path: str) -> str:
    return path.replace("%", "%%")  # the configuration interpolates


def _single(down: str | Sequence[str] | None) -> str | None:
    if down is None or isinstance(down, str):
        return down
    raise AssertionError(down)  # pragma: no cover - the tree has no merges
