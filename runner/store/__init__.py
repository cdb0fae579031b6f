"""The daemon's memory: one SQLite file (or another SQLAlchemy database), one short transaction at a time.

`engine.Store` opens transactions; the rooms beside it (`queue`, `history`, `schedules`, ...) are plain functions that
take the session, so that a caller composes one transaction from several of them.
"""
