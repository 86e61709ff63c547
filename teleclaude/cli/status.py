"""`teleclaude status`: the database and the daemon at a glance."""

import json
from typing import TYPE_CHECKING

import typer

from teleclaude.cli.options import ConfigOption, JsonOption
from teleclaude.cli.waiting import wait_for

if TYPE_CHECKING:
    from teleclaude.daemon import Status


def status(config: ConfigOption = None, *, as_json: JsonOption = False) -> None:
    """Show the database and the daemon at a glance.

    Engine, place, schema, whether a daemon runs, and how many rows there are.
    """
    from teleclaude.config import load_config
    from teleclaude.daemon import gather_status

    found = wait_for(gather_status(load_config(config)))
    if as_json:
        typer.echo(json.dumps(_document(found), indent=2))
    else:
        _print(found)


def _print(found: "Status") -> None:
    from teleclaude.cli.tables import print_table

    print_table(
        ["", "state"],
        [
            ("engine", f"{found.engine} ({found.distribution})"),
            ("database", found.location if found.exists else f"{found.location} (not created yet)"),
            ("schema", _schema(found)),
            ("daemon", _daemon(found)),
        ],
    )
    if found.rows:
        print_table(["table", "rows"], [(name, f"{n:,}") for name, n in found.rows.items()])


def _schema(found: "Status") -> str:
    if found.revision == found.head:
        return f"revision {found.revision}, up to date"
    return f"revision {found.revision or 'none'}, this version of TeleClaude needs {found.head}"


def _daemon(found: "Status") -> str:
    if not found.daemon_known:
        return "unknown: the backend cannot tell"
    return f"running: {found.daemon}" if found.daemon else "not running"


def _document(found: "Status") -> dict[str, object]:
    holder = found.daemon
    return {
        "engine": found.engine,
        "backend": found.distribution,
        "database": found.location,
        "exists": found.exists,
        "revision": found.revision,
        "head": found.head,
        "daemon": holder
        and {
            "pid": holder.pid,
            "host": holder.host,
            "since": holder.since.isoformat() if holder.since else None,
        },
        "daemon_known": found.daemon_known,
        "rows": dict(found.rows),
    }
