"""The command line: one module per command group, put together in `app`.

Command modules import what they need inside their functions, so that `--help` does not wait for
SQLAlchemy.
"""

from teleclaude.cli.app import main

__all__ = ["main"]
