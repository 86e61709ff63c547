"""`teleclaude-hook` as an agent starts it: the installed command, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from teleclaude.hook import manifest
from teleclaude.hook.writing import write_manifest
from teleclaude.testing.databases import apart

if TYPE_CHECKING:
    from collections.abc import Mapping

    from teleclaude.config import Config

COMMAND: Final = Path(sys.executable).with_name("teleclaude-hook")
"""The console script of the environment the tests run in."""

HEAVY: Final = frozenset({"alembic", "pluggy", "pydantic", "sqlalchemy", "sqlmodel", "yaml"})
"""What the quick way must not import."""

EVENT: Final[Mapping[str, object]] = {
    "session_id": "a session",
    "hook_event_name": "PreToolUse",
    "tool_name": "Bash",
    "tool_input": {"command": "ls", "timeout": 1.5},
}

_SECONDS: Final = 30
_SAYING_WHAT_IT_LOADED: Final = (
    "import sys; from teleclaude.hook.main import main; code = main();"
    "print(*sys.modules); sys.exit(code)"
)


class End(NamedTuple):
    """How a process ended: its exit code, and what it said."""

    code: int
    output: str
    complaint: str


def environment(config: Config | None, **more: str) -> dict[str, str]:
    """Give as little an environment as a hook can have.

    Args:
        config: Its configuration, `None` for none.
        **more: Further variables.
    """
    named = {} if config is None else {manifest.PATH_VARIABLE: str(config.path)}
    return {"HOME": os.environ["HOME"], "PATH": os.defpath, **named, **more}


def run_hook(
    config: Config | None,
    event: Mapping[str, object] | bytes = EVENT,
    *options: str,
    **more: str,
) -> End:
    """Run the hook to its end.

    Args:
        config: Its configuration, `None` for none.
        event: What it reads; an object is written as JSON.
        *options: Its command line.
        **more: Further environment variables.
    """
    return _run([str(COMMAND), *options], config, event, **more)


def loaded_by_hook(config: Config | None, **more: str) -> set[str]:
    """Run the hook, which must store its event, and give the packages that it loaded."""
    end = _run([sys.executable, "-P", "-c", _SAYING_WHAT_IT_LOADED], config, EVENT, **more)
    assert end.code == 0, end.complaint
    return {name.partition(".")[0] for name in end.output.split()}


def start_hook(config: Config) -> subprocess.Popen[bytes]:
    """Start a hook that waits for its input."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [COMMAND], stdin=pipe, stdout=pipe, stderr=pipe, env=environment(config)
    )


def prepare(config: Config, **more: str) -> Path:
    """Write the manifest as the daemon does, and give its path."""
    assert apart(lambda: write_manifest(str(config.path), environment(config, **more)))
    return manifest_path(config)


def manifest_path(config: Config) -> Path:
    """Give the path of a configuration's manifest, whether or not there is one."""
    return Path(manifest.place(manifest.spelled(str(config.path))))


def _run(
    command: list[str], config: Config | None, event: Mapping[str, Any] | bytes, **more: str
) -> End:
    done = subprocess.run(
        command,
        input=event if isinstance(event, bytes) else json.dumps(event).encode(),
        capture_output=True,
        env=environment(config, **more),
        cwd=os.environ["HOME"],
        check=False,
        timeout=_SECONDS,
    )
    return End(done.returncode, done.stdout.decode(), done.stderr.decode())


def complaint(end: End) -> str:
    """Give what a hook that failed said: one sentence for people, and nothing for the agent."""
    assert end.code == 1
    assert end.output == ""
    assert end.complaint.startswith("teleclaude-hook: ")
    assert end.complaint.count("\n") == 1
    return end.complaint
