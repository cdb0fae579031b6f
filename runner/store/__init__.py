"""The daemon's memory: one SQLite file (or a PostgreSQL server), one short transaction at a time.

`engine.Store` opens transactions; the rooms beside it (`queue`, `history`, `schedules`, `outbox`, ...) are plain
functions that take the session, so that a caller composes one transaction from several of them. Drivers' errors come
out as `StateError` and its kinds.
"""
