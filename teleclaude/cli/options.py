"""Options and exit codes that several commands share."""

from pathlib import Path
from typing import Annotated, Final

import typer

INTERRUPTED: Final = 130
"""What a shell reports for a process that SIGINT (2) ended: 128 + 2."""

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        show_default=False,
        help="The configuration file to use. Without it: the one TELECLAUDE_CONFIG_PATH names, "
        "teleclaude.yml in this directory, ~/.teleclaude/teleclaude.yml, or no file at all.",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON, for programs, instead of text for people.")
]
