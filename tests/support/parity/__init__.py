"""The parity machine: the same operations on two stores, whose answers must be the same.

`values` and `calls` say what is tried, `sides` runs it, `comparing` says what "the same" means, and
`machine` puts it together. `tests/parity` runs it.
"""
