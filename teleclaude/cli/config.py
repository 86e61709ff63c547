"""`teleclaude config`: look at the configuration; starts nothing and opens no database."""

import json

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from teleclaude.cli.options import ConfigOption, JsonOption
from teleclaude.config import Config, load_config

_UNLIMITED = 10_000

app = typer.Typer(name="config", help="Show the configuration, or check it.", no_args_is_help=True)


@app.command()
def show(config: ConfigOption = None, *, as_json: JsonOption = False) -> None:
    """Show every setting in force and where its value came from. Secrets are hidden."""
    loaded = load_config(config)
    if as_json:
        typer.echo(json.dumps(_document(loaded), indent=2))
    else:
        _print_table(loaded)


@app.command()
def check(config: ConfigOption = None) -> None:
    """Check the configuration. Says OK, or what is wrong with which setting in which line."""
    loaded = load_config(config)
    typer.echo(f"OK: {_file(loaded)}, engine {loaded.backend.engine} ({_distribution(loaded)})")


def _file(config: Config) -> str:
    return str(config.path) if config.path else "no configuration file"


def _distribution(config: Config) -> str:
    return f"{config.backend.distribution} {config.backend.version}"


def _print_table(config: Config) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = _UNLIMITED  # lines are broken for the eye only; programs read whole ones
    console.print(f"config file: {config.path or 'none'}", markup=False)
    console.print(f"backend: {config.backend.engine} ({_distribution(config)})", markup=False)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("setting", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("where it comes from", no_wrap=True)
    for setting in config.effective():
        table.add_row(setting.key, Text(_text(setting.value)), Text(setting.source))
    console.print(table)


def _text(value: object) -> str:
    if value is None:
        return "not set"
    return value if isinstance(value, str) else json.dumps(value)


def _document(config: Config) -> dict[str, object]:
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
