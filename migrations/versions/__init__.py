"""One file per revision. A released one is never edited; a new one raises `runner.store.migrate.HEAD`."""
