"""`teleclaude config`: look at the configuration; starts nothing and opens no database."""

import json
from typing import TYPE_CHECKING

import typer

from teleclaude.cli.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    from teleclaude.config import Config

app = typer.Typer(name="config", help="Show the configuration, or check it.", no_args_is_help=True)


@app.command()
def show(config: ConfigOption = None, *, as_json: JsonOption = False) -> None:
    """Show every setting in force and where its value came from. Secrets are hidden."""
    from teleclaude.config import load_config

    loaded = load_config(config)
    if as_json:
        typer.echo(json.dumps(_document(loaded), indent=2))
    else:
        _print_table(loaded)


@app.command()
def check(config: ConfigOption = None) -> None:
    """Check the configuration. Says OK, or what is wrong with which setting in which line."""
    from teleclaude.config import load_config

    loaded = load_config(config)
    typer.echo(f"OK: {_file(loaded)}, engine {loaded.backend.engine} ({_distribution(loaded)})")


def _file(config: "Config") -> str:
    return str(config.path) if config.path else "no configuration file"


def _distribution(config: "Config") -> str:
    return f"{config.backend.distribution} {config.backend.version}"


def _print_table(config: "Config") -> None:
    from teleclaude.cli.tables import print_table

    typer.echo(f"config file: {config.path or 'none'}")
    typer.echo(f"backend: {config.backend.engine} ({_distribution(config)})")
    print_table(
        ["setting", "value", "where it comes from"],
        [(row.key, _text(row.value), row.source) for row in config.effective()],
    )


def _text(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return value if isinstance(value, str) else json.dumps(value)


def _document(config: "Config") -> dict[str, object]:
    return {
        "config_file": str(config.path) if config.path else None,
        "backend": {
            "engine": config.backend.engine,
            "distribution": config.backend.distribution,
            "version": config.backend.version,
        },
        "settings": {
            setting.key: {"value": setting.value, "source": setting.source}
            for setting in config.effective()
        },
    }
