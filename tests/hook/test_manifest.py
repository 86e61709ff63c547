"""What makes a manifest untrue; no database is needed for that."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hook_process import environment, prepare
from teleclaude.hook import manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from teleclaude.config import Config


def _load(config: Config, **more: str) -> dict[str, Any] | None:
    return manifest.load(manifest.spelled(str(config.path)), environment(config, **more))


def test_a_manifest_is_found_again(migrated_config: Config) -> None:
    """Where nothing has changed it is true."""
    prepare(migrated_config)
    assert _load(migrated_config) is not None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path: path.unlink(), id="removed"),
        pytest.param(lambda path: path.write_text(""), id="empty"),
        pytest.param(lambda path: path.write_text("[]"), id="an array"),
        pytest.param(lambda path: path.write_text("{}"), id="without anything"),
        pytest.param(lambda path: path.write_bytes(b"\xff"), id="no text"),
        pytest.param(lambda path: path.chmod(0o620), id="writable for its group"),
        pytest.param(lambda path: _edit(path, format=0), id="another format"),
        pytest.param(lambda path: _edit(path, teleclaude=["0", ""]), id="another TeleClaude"),
        pytest.param(lambda path: _edit(path, files=[["/nowhere", 1, 1, 1]]), id="a missing file"),
        pytest.param(lambda path: _edit(path, directory="/nowhere"), id="another directory"),
        pytest.param(lambda path: _edit(path, config="/nowhere"), id="another configuration"),
    ],
)
def test_an_untrue_manifest_is_not_used(
    migrated_config: Config, change: Callable[[Path], object]
) -> None:
    """Whatever is wrong with it, it is as if it were not there."""
    change(prepare(migrated_config))
    assert _load(migrated_config) is None


def _edit(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_every_file_it_was_made_from_counts(migrated_config: Config) -> None:
    """The configuration file and the backend's modules are among what must not change."""
    content = json.loads(prepare(migrated_config).read_text())
    names = {Path(path).name for path, *_ in content["files"]}
    assert names == {Path(str(migrated_config.path)).name, "__init__.py", "quick.py"}
    for number in range(len(content["files"])):
        changed = [list(one) for one in content["files"]]
        changed[number][1] += 1
        prepare(migrated_config).write_text(json.dumps({**content, "files": changed}))
        assert _load(migrated_config) is None


@pytest.mark.parametrize(
    "name", ["TELECLAUDE_DATABASE__X", "teleclaude_daemon__x", "TELECLAUDE_DB_PATH_"]
)
def test_variables_that_set_keys_count(migrated_config: Config, name: str) -> None:
    """One that is set later makes it untrue; one of a mere similar name does not."""
    prepare(migrated_config)
    assert (_load(migrated_config, **{name: "x"}) is None) is ("__" in name)


def test_variables_of_the_file_count(migrated_config: Config) -> None:
    """A variable that the file mentions is part of it; its value is nowhere to be read."""
    file = migrated_config.path
    assert file is not None
    before = file.read_text()
    try:
        file.write_text(f"{before}\n# {file.name} ${{SOME_VARIABLE}}")
        written = prepare(migrated_config, SOME_VARIABLE="confidential").read_text()
        assert _load(migrated_config, SOME_VARIABLE="confidential") is not None
        assert _load(migrated_config, SOME_VARIABLE="other") is None
        assert _load(migrated_config) is None
        assert "confidential" not in written
    finally:
        file.write_text(before)


def test_the_configuration_is_found_where_teleclaude_finds_it(
    own_environment: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without YAML, the same file is found in the same order."""
    del own_environment
    from teleclaude.config.files import find_file  # noqa: PLC0415

    monkeypatch.chdir(tmp_path)
    home = Path(os.environ["HOME"], ".teleclaude")
    home.mkdir()
    places = [("a", {}), (None, {"TELECLAUDE_CONFIG_PATH": "~/b"}), (None, {})]

    def found() -> list[str | None]:
        return [manifest.config_file(*place) for place in places]

    for file in (None, home / "teleclaude.yml", tmp_path / "teleclaude.yml"):
        if file is not None:
            file.touch()
        assert found() == [
            path and str(path) for path in map(find_file, *zip(*places, strict=True))
        ]
