"""How Alembic runs our migrations: on the connection it is handed, in that connection's transaction."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    transactional_ddl=True,  # true of our SQLite connections too: BEGIN is sent by us, not by the driver
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
