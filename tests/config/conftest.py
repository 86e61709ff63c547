from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fake_backends import InstallBackend, install_backend, plugin_source
from teleclaude.config import DEFAULT_ENGINE, Config, load_config

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["install_backend"]

SETTINGS = """
    class Settings(BackendSettings):
        environment: ClassVar = {"FAKE_PATH": "path", "FAKE_PATH_TOO": "path", "FAKEPW": "password"}
        alternatives: ClassVar = [["password", "password_file"]]

        host: str = "localhost"
        port: int = Field(default=7000, ge=1)
        user: str | None = None
        password: SecretStr | None = None
        password_file: Path | None = None
        path: Path = Path("default.db")
        certificate: Literal["system"] | Path | None = None
        mode: Literal["normal", "full"] = "normal"
        verbose: bool = False
        size: int | Literal["auto"] = "auto"
        tags: list[str] = []

        @field_validator("host")
        @classmethod
        def not_reserved(cls, value):
            if value == "reserved" or "@" in value:
                raise ValueError(f"{value!r} is not the name of a host")
            return value

        @field_validator("password")
        @classmethod
        def not_weak(cls, value):
            if value and value.get_secret_value().startswith("weak"):
                raise ValueError(f"the password {value.get_secret_value()} is too weak")
            return value

        @model_validator(mode="after")
        def one_password(self):
            if self.password and self.password_file:
                raise ValueError("set either password or password_file, not both")
            return self

        @property
        def location(self):
            return self.host
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory and an empty home, and no variable of the person running this."""
    work, home = tmp_path / "work", tmp_path / "home"
    work.mkdir()
    home.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("TELECLAUDE_CONFIG_PATH", raising=False)
    return work


@pytest.fixture(autouse=True)
def engines(install_backend: InstallBackend) -> None:
    """The engine `fake`, and the default engine replaced by a stand-in with the same name."""
    install_backend("fake", plugin_source(settings=SETTINGS), version="2.5")
    install_backend(DEFAULT_ENGINE, distribution=f"teleclaude-{DEFAULT_ENGINE}")


@pytest.fixture
def load(place: Path) -> Callable[..., Config]:
    """Load a configuration from the lines of its file and from variables."""

    def load(text: str | None = None, /, **environ: str) -> Config:
        if text is not None:
            (place / "teleclaude.yml").write_text(text)
        return load_config(environ=environ)

    return load
