"""Copies of a filled database into another one, for every ordered pair of engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from copies import Copy, Place, Told
from pair_fixtures import pair, provisioners, source, target
from teleclaude.store.transfer import CopyOptions, copy_store

if TYPE_CHECKING:
    from teleclaude.store.transfer import CopyReport

__all__ = ["copy", "pair", "provisioners", "source", "target"]


@pytest.fixture
def copy(source: Place, target: Place) -> Copy:
    """Give a function that copies the source into the target."""

    async def copy(
        *,
        online: bool = False,
        replace: bool = False,
        dry_run: bool = False,
        progress: Told | None = None,
    ) -> CopyReport:
        options = CopyOptions(online=online, replace=replace, dry_run=dry_run)
        return await copy_store(source.config, target.config, options, progress or Told())

    return copy
