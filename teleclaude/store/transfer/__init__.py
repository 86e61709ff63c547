"""Copying a whole store from one database to another, between any two engines.

`copy_store` is what the command line uses. It knows tables from the models and engines from their
backends; neither is listed here.
"""

from teleclaude.store.transfer.copying import copy_store
from teleclaude.store.transfer.options import CopyOptions, Outcome, Progress
from teleclaude.store.transfer.report import CopyReport, TableReport

__all__ = ["CopyOptions", "CopyReport", "Outcome", "Progress", "TableReport", "copy_store"]
