"""One file per revision. A released one is never edited; a new one raises `schemas.database.HEAD`."""
