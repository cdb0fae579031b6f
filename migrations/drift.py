"""Whether the database's tables are those of the code."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData

from pipeline.ladder.tables import metadata as ladder
from pipeline.registry.tables import metadata as registry
from runner.store.tables import Base

CODE = (Base.metadata, registry, ladder)
"""All tables of the database, by the package that owns them."""


def drift(connection: Connection) -> list[str]:
    """How the database's tables differ from the code's, in Alembic's words; empty when they do not."""
    context = MigrationContext.configure(connection, opts={"compare_server_default": True})
    return [f"the schema differs: {difference}" for difference in compare_metadata(context, _together())]


def _together() -> MetaData:
    together = MetaData()
    for metadata in CODE:
        for table in metadata.sorted_tables:
            table.to_metadata(together)
    return together
