"""Reading what an agent writes to the standard input of its hooks."""

from __future__ import annotations

import json
import sys

from teleclaude.errors import InvalidValueError

TYPE_CHECKING = False  # without `typing`
if TYPE_CHECKING:
    from typing import Final

_HINT: Final = "Run it as a hook of an agent; see teleclaude-hook --help."


class Event:
    """A hook event, as `hook_outbox.enqueue` takes it; whether it can be stored is not known yet.

    Attributes:
        session_id: The session.
        event_type: What happened.
        payload: The details.
    """

    __slots__ = ("event_type", "payload", "session_id")

    def __init__(self, session_id: str, event_type: str, payload: dict[str, object]) -> None:
        """Make the event."""
        self.session_id = session_id
        self.event_type = event_type
        self.payload = payload


def read_event(session_id: str | None, event_type: str | None) -> Event:
    """Read an event from standard input.

    Args:
        session_id: The session, in the place of the one in the input.
        event_type: The event, in the place of the one in the input.

    Returns:
        The event.

    Raises:
        InvalidValueError: The input is no JSON object, or lacks what nobody gave in its place.
    """
    payload = _read_object()
    in_input = {name: payload.pop(name, None) for name in ("session_id", "hook_event_name")}
    return Event(
        _text("session_id", "--session", session_id, in_input["session_id"]),
        _text("hook_event_name", "--event", event_type, in_input["hook_event_name"]),
        payload,
    )


def _read_object() -> dict[str, object]:
    content = b"" if sys.stdin is None else sys.stdin.buffer.read()
    if not content.strip():
        message = "The hook's input is empty; a JSON object was expected."
        raise InvalidValueError(message, hint=_HINT)
    try:
        found: object = json.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        message = f"The hook's input is not UTF-8 (byte {error.start})."
        raise InvalidValueError(message, hint=_HINT) from None
    except json.JSONDecodeError as error:
        message = f"The hook's input is not JSON: {error}."
        raise InvalidValueError(message, hint=_HINT) from None
    except RecursionError:
        raise InvalidValueError("The hook's input is nested too deeply.", hint=_HINT) from None
    except ValueError:  # Python refuses to read a number of more than 4300 digits
        message = "The hook's input has an integer that does not fit into 64 bits."
        raise InvalidValueError(message, hint=_HINT) from None
    if not isinstance(found, dict):
        message = f"The hook's input is no JSON object but {_NAMES[type(found)]}."
        raise InvalidValueError(message, hint=_HINT)
    return found


_NAMES: Final = {
    list: "an array",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
    dict: "an object",
}


def _text(name: str, option: str, given: str | None, in_input: object) -> str:
    if given is not None:
        return given
    if in_input is None:
        message = f"The hook's input has no {name}."
        raise InvalidValueError(message, hint=f"Or give it with {option}.")
    if not isinstance(in_input, str):
        message = f"The {name} of the hook's input is no string but {_NAMES[type(in_input)]}."
        raise InvalidValueError(message, hint=_HINT)
    return in_input
