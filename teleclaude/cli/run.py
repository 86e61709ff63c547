"""`teleclaude run`: the daemon in the foreground."""

from typing import Annotated

import typer

from teleclaude.cli.logs import LogFormat
from teleclaude.cli.options import ConfigOption
from teleclaude.cli.waiting import wait_for


def run(
    config: ConfigOption = None,
    log_format: Annotated[
        LogFormat,
        typer.Option("--log-format", help="Lines for people, or JSON objects for programs."),
    ] = LogFormat.TEXT,
) -> None:
    """Run the daemon until it is stopped with Ctrl-C or SIGTERM.

    Creates the database if there is none, and brings its schema up to date.
    """
    from teleclaude.cli.logs import make_logger
    from teleclaude.config import load_config
    from teleclaude.daemon import Daemon
    from teleclaude.errors import TeleclaudeError

    log = make_logger(log_format)
    try:
        loaded = load_config(config)
        log.info("configuration loaded", file=str(loaded.path or "none: defaults"))
        backend = loaded.backend
        log.info(
            "backend loaded",
            engine=backend.engine,
            distribution=f"{backend.distribution} {backend.version}",
        )
        wait_for(Daemon(loaded, log).run())
    except TeleclaudeError as error:
        if log_format is LogFormat.JSON:  # who reads the log would not see standard error
            log.error("failed", reason=str(error), exit_code=error.exit_code)  # noqa: TRY400
        raise
