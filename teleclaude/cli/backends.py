"""`teleclaude backends`: which engines can be used."""

import json

import typer

from teleclaude.cli.options import JsonOption


def backends(*, as_json: JsonOption = False) -> None:
    """List the installed database backends, and which of them load."""
    from teleclaude.backends import installed_backends
    from teleclaude.cli.tables import print_table

    found = [
        {
            "engine": backend.engine,
            "distribution": backend.distribution,
            "version": backend.version,
            "problem": _problem(backend.engine),
        }
        for backend in installed_backends()
    ]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    print_table(
        ["engine", "distribution", "version", "state"],
        [(*map(str, list(row.values())[:3]), row["problem"] or "loads") for row in found],
    )


def _problem(engine: str) -> str | None:
    from teleclaude.backends import load_backend
    from teleclaude.errors import BackendError

    try:
        load_backend(engine)
    except BackendError as error:
        return str(error)
    return None
