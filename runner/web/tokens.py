"""Whose a token is, looked up for each request: a revoked one lets nobody in from that moment."""

import hashlib

from runner.store.states import TokenScope
from runner.web.security import Principal
from runner.web.site import Site
from schemas.errors import StateError


class TokenFinder:
    """Called with a token's text."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def __call__(self, text: str) -> Principal | None:
        """Who bears it; None: nobody."""
        digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
        try:
            with self._site.history.snapshot() as rows:
                row = rows.execute("SELECT name, scope FROM api_tokens WHERE sha256 = ?", (digest,)).fetchone()
        except StateError:
            return None  # no database, no tokens
        return None if row is None else Principal(f"token {row['name']}", TokenScope(row["scope"]))
