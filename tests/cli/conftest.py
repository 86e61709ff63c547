"""The command line inside the test's process: quicker than a process for each command."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import pytest

from teleclaude.cli import main

if TYPE_CHECKING:
    from teleclaude.config import Config


class Outcome(NamedTuple):
    """What a command left behind."""

    code: int
    output: str
    complaint: str


class Run(Protocol):
    """Runs a command."""

    def __call__(self, *words: str, config: Config | None = None) -> Outcome: ...


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str, config: Config | None = None) -> Outcome:
        where = [] if config is None else ["--config", str(config.path)]
        monkeypatch.setattr("sys.argv", ["teleclaude", *words, *where])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        return Outcome(code, *capsys.readouterr())

    return run
