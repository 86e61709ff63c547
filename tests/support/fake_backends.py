"""Throw-away backend distributions: real metadata in a directory on `sys.path`.

For tests that are about configuration or discovery and must not depend on a real engine.
"""

from __future__ import annotations

import itertools
import sys
from textwrap import dedent
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SETTINGS = """
    class Settings(BackendSettings):
        host: str = "localhost"

        @property
        def location(self):
            return self.host
"""
"""The smallest settings class with a key."""

REQUIRED = {
    "teleclaude_settings": "return Settings",
    "teleclaude_create_engine(settings)": "raise NotImplementedError",
    "teleclaude_upsert(table, index_elements, update_columns)": "return (table, index_elements)",
    "teleclaude_migration_context(connection)": "return nullcontext({'connection': connection})",
    "teleclaude_instance_lock(settings, name)": "return nullcontext(name)",
}
"""The hooks every backend must have: signature to body."""

_numbers = itertools.count()


def plugin_source(
    *,
    settings: str = SETTINGS,
    contract: str = "TELECLAUDE_CONTRACT = CONTRACT_VERSION",
    without: str | None = None,
    extra: str = "",
) -> str:
    """Write a plugin module that has every required hook but `without`, and `extra` code."""
    lines = [
        "from contextlib import nullcontext",
        "from pathlib import Path",
        "from typing import ClassVar, Literal",
        "from pydantic import Field, SecretStr, field_validator, model_validator",
        "from teleclaude.backends import BackendSettings, CONTRACT_VERSION, hookimpl",
        contract,
        dedent(settings),
    ]
    for signature, body in REQUIRED.items():
        if signature.partition("(")[0] != without:
            head = signature if "(" in signature else f"{signature}()"
            lines += ["@hookimpl", f"def {head}:", f"    {body}"]
    return "\n".join([*lines, dedent(extra)])


class InstallBackend(Protocol):
    """Install a distribution with one backend for the rest of the test."""

    def __call__(
        self,
        engine: str,
        source: str | None = None,
        *,
        distribution: str | None = None,
        version: str = "1.0",
    ) -> str: ...


def write_distribution(
    directory: Path, module: str, source: str, *, engine: str, distribution: tuple[str, str]
) -> None:
    """Write a distribution (name and version) into a directory, as an installer would."""
    name, version = distribution
    metadata = directory / f"{name.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir(parents=True)
    header = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (metadata / "METADATA").write_text(header)
    (metadata / "entry_points.txt").write_text(f"[teleclaude.backends]\n{engine} = {module}\n")
    (directory / f"{module}.py").write_text(source)


@pytest.fixture
def install_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InstallBackend]:
    """Give a function that installs a backend; everything is uninstalled after the test."""
    modules: list[str] = []

    def install(
        engine: str,
        source: str | None = None,
        *,
        distribution: str | None = None,
        version: str = "1.0",
    ) -> str:
        number = next(_numbers)
        module = f"fake_backend_{number}"
        directory = tmp_path / f"site-{number}"
        write_distribution(
            directory,
            module,
            plugin_source() if source is None else source,
            engine=engine,
            distribution=(distribution or f"fake-{engine}", version),
        )
        monkeypatch.syspath_prepend(directory)
        modules.append(module)
        return module

    yield install
    for module in modules:
        sys.modules.pop(module, None)
