"""The conformance tests: what every backend must do.

A test module of a backend imports everything from here and defines `database_settings`:

    from teleclaude.testing.conformance import *

Tests and fixtures are collected from the modules of this package, each of which is one area of the
report. A name that two modules give would silently hide one of them, so it is an error.
"""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_SECONDS: Final = 120
"""What no test takes, unless something waits for itself."""

_FIXTURE: Final = type(pytest.fixture(lambda: None))


def _modules() -> Iterator[ModuleType]:
    names = [f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__)]
    pytest.register_assert_rewrite(*names)
    for name in ("teleclaude.testing.fixtures", *names):
        yield import_module(name)


def _collect() -> dict[str, object]:
    found: dict[str, object] = {}
    for module in _modules():
        for name, value in vars(module).items():
            is_test = name.startswith("test_") and inspect.isfunction(value)
            if not is_test and not isinstance(value, _FIXTURE):
                continue
            if found.get(name, value) is not value:
                message = f"{module.__name__} gives {name}, which another module gives, too."
                raise RuntimeError(message)
            found[name] = _prepared(value) if is_test else value
    return found


def _prepared(test: object) -> object:
    """Make a test run in whatever mode pytest-asyncio is, and end if it hangs."""
    inner = getattr(getattr(test, "hypothesis", None), "inner_test", test)
    if inspect.iscoroutinefunction(inner):
        test = pytest.mark.asyncio(loop_scope="function")(test)
    return pytest.mark.timeout(_SECONDS)(test)


_FOUND: Final = _collect()
globals().update(_FOUND)
__all__ = list(_FOUND)
