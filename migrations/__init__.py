"""Alembic's revisions, and the child process that applies them: `python -m migrations`."""
