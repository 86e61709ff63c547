"""Bringing a database's schema to the revision the code expects.

`runner` is what the rest of TeleClaude uses; `env.py` and `versions/` belong to Alembic.
"""

from teleclaude.migrations.outcomes import Migrated, Revision
from teleclaude.migrations.runner import UNFINISHED_COPY, Migrator

__all__ = ["UNFINISHED_COPY", "Migrated", "Migrator", "Revision"]
