"""The dashboard and the REST interface: a process of its own that reads the database and enqueues commands.

The daemon imports nothing of this package: see `runner/dashboard.py`.
"""
