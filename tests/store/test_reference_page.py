"""The examples of docs/store.md."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from teleclaude.store import Db, utc_now

if TYPE_CHECKING:
    from teleclaude.config import Config

PAGE = Path(__file__).parents[2] / "docs" / "store.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
async def test_example(
    number: int, migrated_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each example of the page runs as it stands."""
    assert migrated_config.path is not None
    monkeypatch.setenv("TELECLAUDE_CONFIG_PATH", str(migrated_config.path))
    code = compile(EXAMPLES[number], str(PAGE), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    async with Db(migrated_config, clock=utc_now) as db:
        names: dict[str, Any] = {"db": db}
        result = eval(code, names)
        if inspect.isawaitable(result):
            await result
