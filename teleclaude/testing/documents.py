"""JSON documents for Hypothesis, and comparing them as JSON does."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from teleclaude.store.values import INT64_MAX, INT64_MIN

text: Final = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
"""Text that every engine can store."""

_floats = st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number or 0.0)
_numbers = (
    st.integers(INT64_MIN, INT64_MAX) | _floats
)  # zero without a sign: not all engines keep it
_scalars = st.none() | st.booleans() | _numbers | text
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)

documents: Final = st.lists(_values, max_size=5) | st.dictionaries(text, _values, max_size=5)
"""Documents that the store accepts."""


def exactly(value: object) -> object:
    """Give a form that is equal only for the same JSON: 1, 1.0 and true are three things."""
    if isinstance(value, dict):
        return {key: exactly(one) for key, one in value.items()}
    if isinstance(value, list):
        return [exactly(one) for one in value]
    return (type(value).__name__, repr(value))
