"""The `teleclaude` command: its global options, its subcommands, and what happens to errors."""

import sys
import traceback
from dataclasses import dataclass
from typing import Annotated, Final, NoReturn

import typer

from teleclaude import __version__
from teleclaude.cli import backends, config, db, run, status
from teleclaude.cli.options import INTERRUPTED
from teleclaude.errors import TeleclaudeError

_DESCRIPTION: Final = """Keep the state of AI-agent sessions: sessions, events, memory.

Start the daemon with `teleclaude run`. Without any configuration its data is in ~/.teleclaude;
`teleclaude backends` lists which databases it can use.
"""


@dataclass(slots=True)
class GlobalOptions:
    """What was given before the command's name.

    Attributes:
        debug: Whether errors are shown with their traceback.
    """

    debug: bool = False


app = typer.Typer(
    name="teleclaude",
    help=_DESCRIPTION,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # with boxes around it, help would take twice as long to appear
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(run.run)
app.command()(status.status)
app.command(name="backends")(backends.backends)
app.add_typer(config.app)
app.add_typer(db.app)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer passes the option's value
    if wanted:
        typer.echo(f"teleclaude {__version__}")
        raise typer.Exit


@app.callback()
def _global(
    context: typer.Context,
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show errors with all details.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    del version  # its callback has done everything
    context.ensure_object(GlobalOptions).debug = debug


def main() -> None:
    """Run the command line and exit with the error family's code if it fails."""
    options = GlobalOptions()
    try:
        app(obj=options)
    except TeleclaudeError as error:
        _fail(error, error.exit_code, str(error), options)
    except KeyboardInterrupt as error:
        _fail(error, INTERRUPTED, "Interrupted.", options)
    except Exception as error:  # noqa: BLE001 - the last resort before the shell
        message = (
            f"Unexpected {type(error).__name__}: this is a defect of TeleClaude. "
            "Run the command again with `teleclaude --debug` for the details."
        )
        _fail(error, TeleclaudeError.exit_code, message, options)


def _fail(error: BaseException, code: int, message: str, options: GlobalOptions) -> NoReturn:
    if options.debug:
        traceback.print_exception(error)
    typer.secho(f"error: {message}", err=True, fg=typer.colors.RED)
    sys.exit(code)
