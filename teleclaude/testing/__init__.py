"""What the author of a backend tests it with.

`teleclaude.testing.conformance` is the suite: a test module of the backend imports everything from
it and has one fixture, `database_settings`, the `database:` section of an empty database.
`docs/writing-a-backend.md` shows it. `plugin` makes pytest enforce the rules and write the report;
it is registered with the distribution. The other modules are what the suite is made of, and may be
used in further tests of a backend.

Nothing of TeleClaude imports this package; what it needs comes with `teleclaude[testing]`.
"""
