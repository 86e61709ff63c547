"""Backups: writing a store into one file, and loading it into any database again.

An archive is gzipped JSON lines and means the same for every engine. Restoring one is a copy whose
source is a file, so that `teleclaude.store.transfer` does most of it.
"""

from teleclaude.store.archive.backup import BackupReport, back_up, back_up_natively
from teleclaude.store.archive.restore import restore_store

__all__ = ["BackupReport", "back_up", "back_up_natively", "restore_store"]
