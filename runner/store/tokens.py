"""Tokens of the REST interface: made once, shown once, kept as a digest."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from runner.store.states import TokenScope
from runner.store.tables import ApiTokenRow
from schemas.errors import BadInputError

PREFIX = "ouro_"
"""Finders of leaked secrets know it by this."""
_BYTES = 32


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token as it is kept."""

    name: str
    scope: TokenScope
    created_at: datetime


def add(session: Session, name: str, scope: TokenScope, now: datetime) -> str:
    """Make a token; its text is returned this once, and is nowhere afterwards.

    Raises:
        BadInputError: the name is taken.
    """
    if session.get(ApiTokenRow, name) is not None:
        raise BadInputError("there is a token of that name", where=name, remedy="Revoke it first, or choose another.")
    token = PREFIX + secrets.token_urlsafe(_BYTES)
    session.add(ApiTokenRow(name=name, sha256=digest(token), scope=scope, created_at=now))
    session.flush()
    return token


def revoke(session: Session, name: str) -> None:
    """From now on nobody is let in by it.

    Raises:
        BadInputError: there is none of that name.
    """
    row = session.get(ApiTokenRow, name)
    if row is None:
        raise BadInputError("no such token", where=name, remedy="`ouroboros dashboard token list` lists them.")
    session.delete(row)
    session.flush()


def list_all(session: Session) -> list[TokenRecord]:
    """All, by name."""
    rows = session.scalars(select(ApiTokenRow).order_by(ApiTokenRow.name))
    return [TokenRecord(row.name, row.scope, row.created_at) for row in rows]


def digest(token: str) -> str:
    """What is kept of a token. It holds 256 random bits, so a plain hash cannot be searched."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
