"""Values in messages, where a megabyte of text helps nobody."""

from __future__ import annotations

import reprlib
from typing import Final


def _make() -> reprlib.Repr:
    short = reprlib.Repr()
    short.maxstring = short.maxother = 200
    short.maxdict = short.maxlist = short.maxtuple = short.maxset = short.maxfrozenset = 12
    short.maxlong = 100
    return short


shortened: Final = _make().repr
"""`repr` that leaves out the middle of what is long."""
