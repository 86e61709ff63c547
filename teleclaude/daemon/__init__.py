"""The daemon: what `teleclaude run` does, and what `teleclaude status` finds out about it."""

from teleclaude.daemon.lifecycle import Daemon
from teleclaude.daemon.status import Status, gather_status

__all__ = ["Daemon", "Status", "gather_status"]
