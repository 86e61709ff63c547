"""`teleclaude db copy`: a whole store into another database."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from teleclaude.cli.options import INTERRUPTED, ConfigOption, JsonOption
from teleclaude.cli.waiting import wait_for

if TYPE_CHECKING:
    from teleclaude.config import Config, Switched
    from teleclaude.store.transfer import CopyOptions, CopyReport, TableReport


class _Stores(NamedTuple):
    source: "Config"
    target: "Config"
    configured: "Config"


def copy(  # noqa: PLR0913 - each is an option of the command
    config: ConfigOption = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="FILE",
            show_default=False,
            help="The configuration of the database to copy into.",
        ),
    ] = None,
    from_: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            show_default=False,
            help="The configuration of the database to copy, instead of the configured one. "
            "Without --to, it is copied into the configured one.",
        ),
    ] = None,
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Empty the target first; asks, if there is anything.")
    ] = False,
    online: Annotated[
        bool,
        typer.Option("--online", help="Copy what is there now, although a daemon is writing."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything that can fail, write nothing.")
    ] = False,
    switch: Annotated[
        bool,
        typer.Option("--switch", help="Let the configuration file name the target afterwards."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Copy everything into another database.

    Of the same or another engine; the copy is verified. Interrupted, the same command continues.
    Only the files given with --to and --from say which databases those are; environment variables
    that set keys do not.
    """
    from teleclaude.store.transfer import CopyOptions

    stores = _stores(config, to, from_)
    if switch:
        _require_switchable(stores)
    if replace and not (dry_run or yes):
        ask_to_empty(stores.target)
    options = CopyOptions(online=online, replace=replace, dry_run=dry_run)
    began = time.monotonic()
    report = _copy(stores, options, quiet=as_json)
    seconds = time.monotonic() - began
    switched = _switch(stores) if switch and not dry_run else None
    if as_json:
        typer.echo(json.dumps(_whole_document(report, seconds, stores.target, switched), indent=2))
    else:
        _print(report, seconds, stores, switched)


def _stores(config: Path | None, to: Path | None, from_: Path | None) -> _Stores:
    from teleclaude.config import load_config

    if to is None and from_ is None:
        message = "Say with --to or --from which other database is meant."
        raise typer.BadParameter(message)
    if to is not None and from_ is not None:
        source = load_config(from_, file_only=True)
        return _Stores(source, load_config(to, file_only=True), source)
    configured = load_config(config)
    other = load_config(to or from_, file_only=True)
    return _Stores(*((configured, other) if to else (other, configured)), configured)


def _require_switchable(stores: _Stores) -> None:
    from teleclaude.config import require_switchable

    if stores.target is stores.configured:
        message = "--switch is for --to: the configured database is the target already."
        raise typer.BadParameter(message)
    require_switchable(stores.configured)


def _switch(stores: _Stores) -> "Switched":
    from teleclaude.config import switch

    return switch(stores.configured, stores.target)


def ask_to_empty(target: "Config") -> None:
    """Ask whether the rows of a database may be deleted, if it has any.

    Args:
        target: The database.

    Raises:
        typer.Abort: They may not.
    """
    from teleclaude.errors import StoreUnavailableError
    from teleclaude.store import Db

    async def count() -> int:
        db = Db(target)
        try:
            return sum((await db.migrator.count_rows()).values())
        except StoreUnavailableError as error:
            if error.missing:
                return 0
            raise
        finally:
            await db.close()

    if rows := wait_for(count()):
        question = f"All {rows:,} rows of {target.database.location} will be deleted. Go on?"
        if not typer.confirm(question, err=True):
            raise typer.Abort


def _copy(stores: _Stores, options: "CopyOptions", *, quiet: bool) -> "CopyReport":
    from teleclaude.cli.progress import shown
    from teleclaude.store.transfer import copy_store

    try:
        with shown(quiet=quiet) as progress:
            return wait_for(copy_store(stores.source, stores.target, options, progress))
    except KeyboardInterrupt:
        said = "Nothing was written." if options.dry_run else "The same command continues the copy."
        typer.secho(f"error: Interrupted. {said}", err=True, fg=typer.colors.RED)
        raise typer.Exit(INTERRUPTED) from None


def _print(
    report: "CopyReport", seconds: float, stores: _Stores, switched: "Switched | None"
) -> None:
    from teleclaude.config import shown_section

    print_sides(report)
    typer.echo(summary(report, seconds))
    if switched:
        before = f" (before: {switched.before})" if switched.before else ""
        typer.echo(f"{switched.file} names the target now{before}. Start the daemon again.")
    elif stores.target is not stores.configured and _is_there(report):
        typer.echo("\nTo use it, put this into teleclaude.yml, or run the command with --switch:\n")
        typer.echo(shown_section(stores.target))


def print_sides(report: "CopyReport") -> None:
    """Print both sides of every table, or after a dry run its rows.

    Args:
        report: What was done.
    """
    from teleclaude.cli.tables import print_table

    if _is_there(report):
        titles = ["table", "source", "target", "content", "references", "ids"]
        print_table(titles, map(_cells, report.tables))
    else:
        cells = [(table.name, f"{table.source_rows:,}") for table in report.tables]
        print_table(["table", "rows"], cells)


def _is_there(report: "CopyReport") -> bool:
    from teleclaude.store.transfer import Outcome

    return report.outcome is not Outcome.CHECKED


class Wording(NamedTuple):
    """What a command that copies calls itself, its direction and what it copies from."""

    done: str
    into: str
    source: str


_COPIED = Wording("copied", "to", "source")


def summary(report: "CopyReport", seconds: float, wording: Wording = _COPIED) -> str:
    """Say in a sentence what became of a copy.

    Args:
        report: What was done.
        seconds: How long it took.
        wording: The words of the command.
    """
    from teleclaude.store.transfer import Outcome

    rows = sum(table.source_rows for table in report.tables)
    where = f"{report.source} {wording.into} {report.target}"
    done = wording.done.capitalize()
    match report.outcome:
        case Outcome.CHECKED:
            return f"OK: {rows:,} rows can be {wording.done} from {where}. Nothing was written."
        case Outcome.ALREADY_COPIED:
            same = f"{report.target} holds the same {rows:,} rows as the {wording.source}"
            return f"Nothing to do: {same}."
        case Outcome.RESUMED:
            begun = f" of {rows:,}, the rest before," if report.copied < rows else ""
            return f"{done} {report.copied:,} rows{begun} from {where} in {seconds:.1f} s."
        case Outcome.COPIED:
            return f"{done} {rows:,} rows from {where} in {seconds:.1f} s."


def _cells(table: "TableReport") -> list[str]:
    ids = "none" if table.source_id is None else f"after {table.target_id:,}"
    return [
        table.name,
        f"{table.source_rows:,}",
        f"{table.target_rows:,}",
        "the same" if table.same_content else "differs",
        "complete" if not table.orphans else f"{table.orphans:,} missing",
        ids,
    ]


def _whole_document(
    report: "CopyReport", seconds: float, target: "Config", switched: "Switched | None"
) -> dict[str, object]:
    from teleclaude.config import shown_section

    return {
        **document(report, seconds),
        "section": shown_section(target),
        "switched": switched and str(switched.file),
        "before": str(switched.before) if switched and switched.before else None,
    }


def document(report: "CopyReport", seconds: float) -> dict[str, object]:
    """Give what `--json` prints of a report.

    Args:
        report: What was done.
        seconds: How long it took.
    """
    return {
        "outcome": report.outcome.value,
        "source": report.source,
        "target": report.target,
        "rows_copied": report.copied,
        "seconds": round(seconds, 3),
        "tables": {table.name: _table_document(table) for table in report.tables},
    }


def _table_document(table: "TableReport") -> dict[str, object]:
    return {
        "source": {"rows": table.source_rows, "hash": table.source_hash, "id": table.source_id},
        "target": {"rows": table.target_rows, "hash": table.target_hash, "id": table.target_id},
        "orphans": table.orphans,
        "agrees": table.agrees,
    }
