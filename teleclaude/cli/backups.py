"""`teleclaude db backup` and `db restore`: a store into a file, and back into any database."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from teleclaude.cli.copying import Wording, ask_to_empty, document, print_sides, summary
from teleclaude.cli.options import ConfigOption, JsonOption
from teleclaude.cli.waiting import wait_for

if TYPE_CHECKING:
    from teleclaude.store.archive import BackupReport


def backup(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", show_default=False, help="The file to write.")
    ],
    config: ConfigOption = None,
    *,
    portable: Annotated[
        bool,
        typer.Option(
            "--portable",
            help="Write an archive, which `db restore` loads into any engine's database. Without "
            "it, the engine copies its database in its own form.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a backup of the whole database.

    Others read and write meanwhile. The file is there when it is complete, and only its owner can
    read it.
    """
    from teleclaude.cli.progress import shown
    from teleclaude.config import load_config
    from teleclaude.store.archive import back_up, back_up_natively

    loaded = load_config(config)
    destination = file.expanduser().absolute()
    if portable:
        with shown(quiet=as_json) as progress:
            report = wait_for(back_up(loaded, destination, progress))
    else:
        report = wait_for(back_up_natively(loaded, destination))
    size = report.file.stat().st_size
    if as_json:
        typer.echo(json.dumps(_document(report, size), indent=2))
    else:
        typer.echo(_sentence(report, size))


def restore(  # noqa: PLR0913 - each is an option of the command
    file: Annotated[
        Path, typer.Argument(metavar="FILE", show_default=False, help="The archive to load.")
    ],
    config: ConfigOption = None,
    *,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Empty the database first; asks, if there is anything."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the whole archive, write nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Load an archive of the whole database, and verify it.

    `db backup --portable` writes one. The whole archive is checked before anything is written.
    Interrupted, the same command continues.
    """
    from teleclaude.cli.progress import shown
    from teleclaude.config import load_config
    from teleclaude.store.archive import restore_store
    from teleclaude.store.transfer import CopyOptions

    loaded = load_config(config)
    if replace and not (dry_run or yes):
        ask_to_empty(loaded)
    options = CopyOptions(replace=replace, dry_run=dry_run)
    began = time.monotonic()
    with shown(quiet=as_json) as progress:
        archive = file.expanduser().absolute()
        report = wait_for(restore_store(archive, loaded, options, progress))
    seconds = time.monotonic() - began
    if as_json:
        typer.echo(json.dumps(document(report, seconds), indent=2))
    else:
        print_sides(report)
        typer.echo(summary(report, seconds, Wording("restored", "into", "archive")))


def _sentence(report: "BackupReport", size: int) -> str:
    written = f"{report.file} ({size:,} bytes)"
    if report.rows is None:
        return f"Copied {report.source} to {written}."
    return f"Backed up {sum(report.rows.values()):,} rows of {report.source} to {written}."


def _document(report: "BackupReport", size: int) -> dict[str, object]:
    return {
        "source": report.source,
        "file": str(report.file),
        "bytes": size,
        "portable": report.rows is not None,
        "rows": report.rows,
    }
