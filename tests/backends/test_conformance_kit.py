"""The conformance kit itself: what it lets nobody get away with, and what it reports."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import contextmanager
from textwrap import dedent
from typing import TYPE_CHECKING

from teleclaude.testing import conformance
from teleclaude.testing.sockets import break_connections, connected_sockets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USE = """
import pytest
from teleclaude.testing.conformance import *

@pytest.fixture(scope="session")
def database_settings(tmp_path_factory):
    return {"engine": "sqlite", "path": str(tmp_path_factory.mktemp("x") / "data.db")}
"""


FALSE = """
from teleclaude.backends import Backend, Capabilities

make = Backend.__init__

def false(self, *arguments, **more):
    make(self, *arguments, **more)
    self.capabilities = Capabilities(single_writer=True)

Backend.__init__ = false
"""


@contextmanager
def socket_pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Connect two sockets over the network of this machine."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as one,
        server.accept()[0] as other,
    ):
        yield one, other


def run(directory: Path, code: str, *options: str) -> tuple[int, str]:
    """Run a test module as the author of a backend does."""
    (directory / "test_mine.py").write_text(dedent(code))
    (directory / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider", *options, "test_mine.py"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_part_of_the_tests_proves_nothing(tmp_path: Path) -> None:
    """The report says so where not all tests were run, and how many were left out."""
    code, output = run(tmp_path, USE, "-k", "test_required_hooks_are_there")
    assert code == 0
    functions = [name for name in conformance.__all__ if name.startswith("test_")]
    assert "loading                      5 passed" in output
    assert f"not run: {len(functions) - 1} of the tests" in output
    assert output.count("NOT PROVEN: only a part of the tests was run.") == 1


def test_a_skip_without_a_declaration_is_a_failure(tmp_path: Path) -> None:
    """A required test that is skipped fails, here in another process, and nothing is proven."""
    skipping = f"{USE}\n@pytest.fixture\ndef db():\n    pytest.skip('no time')\n"
    code, output = run(tmp_path, skipping, "-k", "test_list_all", "-n1")
    assert code == 1
    assert "is required and was skipped" in output
    assert "NOT PROVEN: 1 tests failed." in output


def test_a_fixture_of_the_author_that_fails_proves_nothing(tmp_path: Path) -> None:
    """A failure before the backend is known is in the report, too, and so is what was left out."""
    fails_once = f"""{USE}
calls = []

@pytest.fixture
def database_settings(tmp_path):
    calls.append(1)
    assert len(calls) != 2
    return {{"engine": "sqlite", "path": str(tmp_path / "data.db")}}
"""
    chosen = ("-k", "test_required_hooks_are_there", "--deselect")
    name = "test_mine.py::test_required_hooks_are_there[teleclaude_upsert]"
    code, output = run(tmp_path, fails_once, *chosen, name)
    assert code == 1
    assert "conformance of sqlite" in output
    assert "deselected: " in output
    assert "NOT PROVEN: 1 tests failed." in output


def test_what_is_declared_absent_is_skipped_and_reported(tmp_path: Path) -> None:
    """A declared absence is a skip, and the report names it."""
    code, output = run(tmp_path, USE, "-k", "test_a_commit_without_a_connection")
    assert code == 0
    assert "1 skipped" in output
    assert "declared absent: connections (1 tests)" in output


def test_a_false_declaration_is_noticed(tmp_path: Path) -> None:
    """Who declares a server where there is none learns that from a test."""
    code, output = run(tmp_path, USE + FALSE, "-k", "where_it_says or a_commit_wit")
    assert code == 1
    assert "2 failed" in output
    assert "does the engine run `in_process`?" in output


def test_the_plugin_is_silent_elsewhere(tmp_path: Path) -> None:
    """Where no test of the kit is run, nothing is reported, and a skip is a skip."""
    code, output = run(tmp_path, "import pytest\ndef test_mine():\n    pytest.skip('mine')\n")
    assert code == 0
    assert "conformance" not in output


def test_connections_are_broken_for_real() -> None:
    """The sockets that are shut down are the connections made since, and no others."""
    with socket_pair() as (kept, other_kept):
        before = connected_sockets()
        with socket_pair() as (broken, other):
            assert break_connections(except_for=before) >= 1
            assert broken.recv(1) == other.recv(1) == b""
        kept.sendall(b"x")
        assert other_kept.recv(1) == b"x"
