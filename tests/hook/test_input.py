"""What an agent may write, what the command line may say, and what else is malformed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hook_process import EVENT, complaint, prepare, run_hook
from teleclaude.store import Db

if TYPE_CHECKING:
    from teleclaude.config import Config


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"{", "is not JSON"),
        (b"nonsense", "is not JSON"),
        (b'{"session_id": "s", "hook_event_name": "e"} x', "is not JSON"),
        (b"\xff\xfe{}", "is not UTF-8"),
        (b"[]", "no JSON object but an array"),
        (b'"s"', "no JSON object but a string"),
        (b"7", "no JSON object but a number"),
        (b"true", "no JSON object but a boolean"),
        (b"null", "no JSON object but null"),
        (b"{}", "has no session_id"),
        (b'{"session_id": "s"}', "has no hook_event_name"),
        (b'{"session_id": null, "hook_event_name": "e"}', "has no session_id"),
        (b'{"session_id": 7, "hook_event_name": "e"}', "no string but a number"),
        (b'{"session_id": {}, "hook_event_name": "e"}', "no string but an object"),
        (b'{"a": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "does not fit into 64 bits"),
    ],
)
def test_malformed_input(content: bytes, words: str, own_environment: None) -> None:
    """One sentence says what is wrong, and nothing is looked for or made."""
    del own_environment
    assert words in complaint(run_hook(None, content))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--evnt", "x"], "no option '--evnt'"),
        (["--event"], "--event needs a value"),
        (["x"], "no option 'x'"),
    ],
)
def test_malformed_command_line(options: list[str], words: str, own_environment: None) -> None:
    """An option that does not exist is not ignored."""
    del own_environment
    assert words in complaint(run_hook(None, EVENT, *options))


def test_help_and_version(own_environment: None) -> None:
    """Both are answered without reading anything."""
    del own_environment
    assert "hook_event_name" in run_hook(None, b"", "--help").output
    assert run_hook(None, b"", "--version").output.startswith("teleclaude ")


def test_missing_configuration_file(own_environment: None) -> None:
    """A file that is named must be there."""
    del own_environment
    said = complaint(run_hook(None, EVENT, "--config", "nowhere.yml"))
    assert "nowhere.yml: the file does not exist" in said


async def test_options_win_over_the_input(migrated_config: Config) -> None:
    """`--event` and `--session` count, whatever the input says, and `--config` names the file."""
    prepare(migrated_config)
    options = ["--event=Stop", "--session", "mine", f"--config={migrated_config.path}"]
    assert run_hook(None, EVENT, *options).code == 0
    assert run_hook(None, b'{"x": 1}', *options).code == 0
    async with Db(migrated_config) as db:
        first, second = await db.hook_outbox.peek(2)
    assert {(row.session_id, row.event_type) for row in (first, second)} == {("mine", "Stop")}
    assert first.payload == {k: EVENT[k] for k in ("tool_name", "tool_input")}
    assert second.payload == {"x": 1}
