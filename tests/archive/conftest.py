"""A filled database to back up, and one to restore into, for every ordered pair of engines."""

from __future__ import annotations

from pair_fixtures import pair, provisioners, source, target

__all__ = ["pair", "provisioners", "source", "target"]
