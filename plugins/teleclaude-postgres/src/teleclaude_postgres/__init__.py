"""The PostgreSQL backend of TeleClaude; `plugin` has its hooks.

Nothing is imported here, because `quick` must not wait for SQLAlchemy.
"""

__version__ = "0.1.0"
