"""`teleclaude db`: the schema of the database, and copies of it."""

from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from teleclaude.cli import backups, copying
from teleclaude.cli.options import ConfigOption
from teleclaude.cli.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from teleclaude.config import Config
    from teleclaude.migrations import Migrated, Migrator

T = TypeVar("T")

app = typer.Typer(
    name="db",
    help="Create, upgrade, inspect, copy or back up the database.",
    no_args_is_help=True,
)
app.command()(copying.copy)
app.command()(backups.backup)
app.command()(backups.restore)


StrictOption = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Do not adopt a database of which a value or row would have to go to quarantine.",
    ),
]


@app.command()
def upgrade(
    revision: Annotated[str, typer.Argument(help="The revision to go to.")] = "head",
    config: ConfigOption = None,
    *,
    strict: StrictOption = False,
) -> None:
    """Bring the schema up to date.

    Creates the database if there is none, and adopts one that an earlier TeleClaude made.
    """
    _say(_migrate(config, lambda migrator: migrator.upgrade(revision, strict=strict)))


@app.command()
def adopt(
    config: ConfigOption = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and change nothing.")
    ] = False,
    strict: StrictOption = False,
) -> None:
    """Convert a database that an earlier TeleClaude made.

    `run` and `upgrade` do it, too.
    """
    done = _migrate(config, lambda migrator: migrator.adopt(strict=strict, dry_run=dry_run))
    _say(done, dry_run=dry_run)


@app.command()
def downgrade(
    revision: Annotated[
        str, typer.Argument(help="The revision to go back to, `base` for none at all.")
    ],
    config: ConfigOption = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Bring the schema back to an older revision. Data it has no place for is lost."""
    question = f"Data that revision {revision} has no place for will be lost. Go on?"
    if not yes and not typer.confirm(question):
        raise typer.Abort
    _say(_migrate(config, lambda migrator: migrator.downgrade(revision)))


@app.command()
def current(config: ConfigOption = None) -> None:
    """Show the revision of the database's schema."""
    loaded, found, head = _look(config, lambda migrator: migrator.current())
    state = "up to date" if found == head else f"this version of TeleClaude needs {head}"
    typer.echo(f"{found or 'none'} ({state}) {loaded.database.location}")


@app.command()
def history(config: ConfigOption = None) -> None:
    """List the revisions there are, oldest first."""

    async def revisions(migrator: "Migrator") -> None:
        for revision in migrator.history():
            typer.echo(f"{revision.down or 'base'} -> {revision.id}: {revision.title}")

    _look(config, revisions)


@app.command()
def check(config: ConfigOption = None) -> None:
    """Compare the database's tables with those that are expected.

    Says OK, or what differs from what this version of TeleClaude expects.
    """
    from teleclaude.errors import MigrationError

    loaded, differences, _ = _look(config, lambda migrator: migrator.check())
    if differences:
        for line in differences:
            typer.echo(line)
        message = (
            f"{loaded.database.location} differs from the models in {len(differences)} places."
        )
        raise MigrationError(message, hint="If it is an older schema: teleclaude db upgrade")
    typer.echo(f"OK: {loaded.database.location} is what the models say.")


@app.command()
def sql(
    revision: Annotated[str, typer.Argument(help="The revision to create.")] = "head",
    config: ConfigOption = None,
    engine: Annotated[
        str | None,
        typer.Option(help="For this engine instead of the configured one; needs no configuration."),
    ] = None,
) -> None:
    """Print the SQL that creates the schema.

    For an administrator to run.
    """
    from teleclaude.backends import load_backend
    from teleclaude.config import load_config
    from teleclaude.migrations import Migrator
    from teleclaude.store.models import metadata

    if engine is None:
        loaded = load_config(config)
        backend, settings = loaded.backend, loaded.database
    else:
        backend = load_backend(engine)
        settings = backend.settings_class()
    migrator = Migrator(backend, settings, backend.create_engine(settings), metadata)
    typer.echo(migrator.sql(revision))


def _migrate(
    config: ConfigOption, action: "Callable[[Migrator], Awaitable[Migrated]]"
) -> "tuple[Config, Migrated]":
    loaded, migrated, _ = _look(config, action)
    return loaded, migrated


def _say(done: "tuple[Config, Migrated]", *, dry_run: bool = False) -> None:
    from teleclaude.cli.adoption import describe

    loaded, migrated = done
    location = loaded.database.location
    if migrated.backup:
        typer.echo(f"Backup: {migrated.backup}")
    if migrated.adoption:
        for line in describe(migrated.adoption, dry_run=dry_run):
            typer.echo(line)
    if dry_run:
        typer.echo(f"Nothing was changed: {location} is as it was.")
    elif migrated.changed:
        before, after = migrated.before or "base", migrated.after or "base"
        typer.echo(f"Migrated {location} from {before} to {after}.")
    else:
        typer.echo(f"Nothing to do: {location} is at {migrated.after or 'base'}.")


def _look(
    config: ConfigOption, action: "Callable[[Migrator], Awaitable[T]]"
) -> "tuple[Config, T, str | None]":
    from teleclaude.config import load_config
    from teleclaude.store import Db

    loaded = load_config(config)

    async def act() -> "tuple[T, str | None]":
        db = Db(loaded)
        try:
            return await action(db.migrator), db.migrator.head
        finally:
            await db.close()

    result, head = wait_for(act())
    return loaded, result, head
