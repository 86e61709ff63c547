"""Adopting databases that earlier TeleClaude versions made with their own migration runner.

`layout` says what such a database looks like, `recognition` recognises one. `conversion` converts
it: `original` reads the backup, `rows` converts a row, `reading` understands a value, `repair`
keeps what can be kept of one that cannot be stored, `tables` says what is special about a table,
`targets` what the new one looks like, `quarantine` keeps what has no place. `verification` compares
the result with the backup.
"""

from teleclaude_sqlite.adoption.conversion import adopt

__all__ = ["adopt"]
