"""What Alembic executes for every command; all it needs to know comes from `runner`.

The connection is handed over as an object: a URL in Alembic's configuration would hold the password
in clear text, and a `%` in it would break the configuration's interpolation.
"""

from alembic import context

context.configure(**context.config.attributes["options"])

with context.begin_transaction():
    context.run_migrations()
