"""`teleclaude-hook`: storing one hook event of an agent, in a process that lives for nothing else.

`main`, `events`, `manifest` and `quick` are what such a process runs; they import neither
SQLAlchemy nor pydantic nor YAML, and not even `typing`. `recipe` and `writing` prepare that, `slow`
is the way without any preparation; those three import everything.
"""
