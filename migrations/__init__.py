"""Alembic's revisions, and the child process that applies them: `python -m migrations URL`.

`upgrade` brings a database of any released revision to this version's: one transaction, a backup before, a newer one
refused. `rebuild` moves the large tables of revision 0003 and before into a new file, and goes on after a kill.
"""
