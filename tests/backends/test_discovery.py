"""Finding and loading backends, and every way in which that can fail."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fake_backends import REQUIRED, InstallBackend, plugin_source
from teleclaude.backends import (
    CONTRACT_VERSION,
    REQUIRED_HOOKS,
    BackendSettings,
    installed_backends,
    load_backend,
)
from teleclaude.errors import BackendIncompleteError, BackendLoadError, BackendNotFoundError

if TYPE_CHECKING:
    from pathlib import Path


def test_an_installed_backend_is_found_and_loaded(install_backend: InstallBackend) -> None:
    """The entry point's name is the engine, and the distribution is known."""
    install_backend("fake", distribution="some-distribution", version="2.5")
    backend = load_backend("fake")
    assert (backend.engine, backend.distribution, backend.version) == (
        "fake",
        "some-distribution",
        "2.5",
    )
    assert issubclass(backend.settings_class, BackendSettings)
    assert repr(backend) == "<Backend 'fake' (some-distribution 2.5)>"


def test_listing_imports_nothing(install_backend: InstallBackend) -> None:
    """A backend that cannot be imported is listed all the same, in order of the engines."""
    install_backend("zzz", "raise RuntimeError")
    install_backend("aaa", "raise RuntimeError")
    listed = [backend.engine for backend in installed_backends()]
    assert listed == sorted(listed)
    assert {"aaa", "zzz"} <= set(listed)


def test_an_engine_that_is_not_installed_names_what_is(install_backend: InstallBackend) -> None:
    """The message lists the installed engines and says what to install."""
    install_backend("fake")
    complaint = r"engine 'oracular' is installed \(installed: .*\bfake\b.*pip install .*oracular"
    with pytest.raises(BackendNotFoundError, match=complaint):
        load_backend("oracular")


def test_an_extra_of_the_core_is_named_when_there_is_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An engine the core has an extra for is installed through it."""
    metadata = tmp_path / "teleclaude-9.dist-info"
    metadata.mkdir()
    text = "Metadata-Version: 2.1\nName: teleclaude\nVersion: 9\nProvides-Extra: oracular\n"
    (metadata / "METADATA").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BackendNotFoundError, match=r"pip install 'teleclaude\[oracular\]'$"):
        load_backend("oracular")


def test_a_misspelt_engine_gets_a_suggestion(install_backend: InstallBackend) -> None:
    """An engine that is nearly installed is suggested instead of an installation."""
    install_backend("fakedb")
    with pytest.raises(BackendNotFoundError, match=r"Did you mean 'fakedb'\?$"):
        load_backend("fakebd")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_driver", "ModuleNotFoundError: No module named 'no_such_driver'"),
        ("this is no python", "SyntaxError: "),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_backend_that_cannot_be_imported_shows_why(
    install_backend: InstallBackend, source: str, reason: str
) -> None:
    """The plugin's own error is in the message and is the cause."""
    install_backend("fake", source)
    complaint = rf"'fake' \(fake-fake 1\.0\) cannot be imported: {reason}.*pip install"
    with pytest.raises(BackendLoadError, match=complaint) as caught:
        load_backend("fake")
    assert type(caught.value.__cause__).__name__ == reason.partition(":")[0]


@pytest.mark.parametrize(
    ("contract", "complaint"),
    [
        ("TELECLAUDE_CONTRACT = CONTRACT_VERSION - 1", "Upgrade the backend"),
        ("TELECLAUDE_CONTRACT = CONTRACT_VERSION + 1", "Upgrade teleclaude"),
        ("", f"does not say which contract.*TELECLAUDE_CONTRACT = {CONTRACT_VERSION}"),
        ("TELECLAUDE_CONTRACT = '1'", "does not say which contract"),
    ],
)
def test_another_contract_is_refused(
    install_backend: InstallBackend, contract: str, complaint: str
) -> None:
    """A backend of another contract version says who has to upgrade."""
    install_backend("fake", plugin_source(contract=contract))
    with pytest.raises(BackendLoadError, match=complaint):
        load_backend("fake")


def test_the_helper_has_every_required_hook() -> None:
    """The throw-away plugin of these tests follows the contract."""
    assert {signature.partition("(")[0] for signature in REQUIRED} == set(REQUIRED_HOOKS)


@pytest.mark.parametrize("hook", REQUIRED_HOOKS)
def test_a_missing_required_hook_is_named(install_backend: InstallBackend, hook: str) -> None:
    """Each required hook is missed when it is not there."""
    install_backend("fake", plugin_source(without=hook))
    with pytest.raises(BackendIncompleteError, match=rf"does not implement {hook}\."):
        load_backend("fake")


@pytest.mark.parametrize(
    ("extra", "complaint"),
    [
        ("@hookimpl\ndef teleclaude_backpu(engine): ...", "unknown hook 'teleclaude_backpu'"),
        ("@hookimpl\ndef teleclaude_maintain(engine, colour): ...", "colour"),
    ],
)
def test_a_hook_or_argument_that_does_not_exist_is_named(
    install_backend: InstallBackend, extra: str, complaint: str
) -> None:
    """A misspelt hook is an error instead of a hook that is never called."""
    install_backend("fake", plugin_source(extra=extra))
    with pytest.raises(BackendLoadError, match=f"does not fit the contract: .*{complaint}"):
        load_backend("fake")


@pytest.mark.parametrize("settings", ["Settings = dict", "Settings = None", "Settings = object()"])
def test_settings_of_another_kind_are_refused(
    install_backend: InstallBackend, settings: str
) -> None:
    """The settings must be a subclass of BackendSettings."""
    install_backend("fake", plugin_source(settings=settings))
    with pytest.raises(BackendLoadError, match="not a subclass of BackendSettings"):
        load_backend("fake")


def test_two_distributions_for_one_engine_are_refused(install_backend: InstallBackend) -> None:
    """Which of two would win is not left to the order of installation."""
    install_backend("fake", distribution="first")
    install_backend("fake", distribution="second")
    with pytest.raises(BackendLoadError, match=r"several distributions: first and second.*Uninst"):
        load_backend("fake")


def test_the_other_backends_are_not_imported(
    install_backend: InstallBackend, tmp_path: Path
) -> None:
    """In a fresh process, loading one engine imports neither another plugin nor a driver."""
    chosen = install_backend("chosen")
    install_backend("other")
    code = (
        "import json, sys\n"
        "from teleclaude.backends import installed_backends, load_backend\n"
        "load_backend('chosen')\n"
        "plugins = {backend.entry_point.module for backend in installed_backends()}\n"
        "drivers = {'sqlite3', 'aiosqlite', 'asyncpg', 'psycopg', 'psycopg2'}\n"
        "print(len(plugins) > 1, *sorted((plugins | drivers) & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["True", chosen]
