"""Each engine's page lists the keys the engine has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from teleclaude.backends import installed_backends, load_backend

PLUGINS = Path(__file__).parents[2] / "plugins"


@pytest.mark.parametrize(
    ("engine", "distribution"),
    [backend[:2] for backend in installed_backends() if (PLUGINS / backend.distribution).is_dir()],
)
def test_every_key_of_an_engine_is_documented(engine: str, distribution: str) -> None:
    """The README of a backend has a row for every key of its settings, and no other."""
    page = (PLUGINS / distribution / "README.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"^\| key \|.*\n(?:\|.*\n)+", page, re.MULTILINE)
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", table, re.MULTILINE)
    documented = {key for row in rows for key in re.findall(r"\w+", row)}
    assert documented == set(load_backend(engine).settings_class.model_fields)
