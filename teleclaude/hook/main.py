"""The command `teleclaude-hook`: the quick way if there is one, else the long way."""

from __future__ import annotations

import os
import sys
import time

from teleclaude.errors import InvalidValueError, TeleclaudeError
from teleclaude.hook import quick
from teleclaude.hook.events import read_event

TYPE_CHECKING = False  # without `typing`, which costs as much as the rest
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final, NoReturn

SECONDS: Final = 1.9
"""How long an event may take once it has been read. Agents wait for their hooks, so it must not
take longer than that to find out that a database is not there."""

_USAGE: Final = """\
Usage: teleclaude-hook [--event NAME] [--session ID] [--config FILE]

Stores a hook event of an agent. Reads the hook's JSON object from standard input:
`session_id` and `hook_event_name` say whose event it is and which; the rest is
its payload.

  --event NAME    The event, in the place of `hook_event_name`.
  --session ID    The session, in the place of `session_id`.
  --config FILE   The configuration file; without it, the one `teleclaude` finds.
  --version       Show the version and exit.
  --help          Show this and exit.
"""
_OPTIONS: Final = ("--event", "--session", "--config")


def main() -> int:
    """Run the command.

    Returns:
        0 when the event is stored, else 1: agents take that for a warning, where 2 would mean that
        what the agent is about to do is forbidden.
    """
    try:
        return _run(sys.argv[1:])
    except TeleclaudeError as error:
        return _complain(str(error))
    except KeyboardInterrupt:
        return _complain("Interrupted; whether the event was stored is unknown.")
    except Exception as error:  # noqa: BLE001 - the last resort before the agent
        reason = f"Unexpected {type(error).__name__}: this is a defect of TeleClaude"
        return _complain(f"{reason}; whether the event was stored is unknown.")


def run() -> NoReturn:
    """Run the command and end the process, which is what the installed script does.

    Python's own way to end takes as long as storing the event, and there is nothing left to do.
    """
    code = main()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(code)


def _run(arguments: Sequence[str]) -> int:
    if "--help" in arguments or "-h" in arguments:
        sys.stdout.write(_USAGE)
        return 0
    if "--version" in arguments:
        from teleclaude import __version__  # noqa: PLC0415 - as the usage, hardly ever wanted

        sys.stdout.write(f"teleclaude {__version__}\n")
        return 0
    given = _options(arguments)
    event = read_event(given.get("--session"), given.get("--event"))
    deadline = time.monotonic() + SECONDS
    config = given.get("--config")
    if not quick.enqueue(event, config):
        from teleclaude.hook import slow  # noqa: PLC0415 - it imports everything

        slow.enqueue(event, config, deadline)
    return 0


def _options(arguments: Sequence[str]) -> dict[str, str]:
    # By hand: argparse would take longer than the database.
    found: dict[str, str] = {}
    words = iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if name not in _OPTIONS:
            message = f"There is no option {word!r}."
            raise InvalidValueError(message, hint="See teleclaude-hook --help.")
        given = value if equals else next(words, None)
        if given is None:
            message = f"The option {name} needs a value."
            raise InvalidValueError(message, hint="See teleclaude-hook --help.")
        found[name] = given
    return found


def _complain(message: str) -> int:
    if sys.stderr is not None:
        sys.stderr.write(f"teleclaude-hook: {' '.join(message.split())}\n")
    return 1
