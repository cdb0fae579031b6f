"""How our words are held in columns: instants, models, enumerations and paths, all as text that people can read."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import BigInteger, Dialect, Integer, String, Text
from sqlalchemy.types import TypeDecorator

from schemas.instants import from_text, to_text
from schemas.settings import describe

RowId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up by itself only in a column declared INTEGER."""


class Instant(TypeDecorator[datetime]):
    """An aware datetime as `schemas.instants` text: text order is time order.

    Raises:
        ValueError: the datetime is naive.
    """

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """To text."""
        return None if value is None else to_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """From text."""
        return None if value is None else from_text(value)


class JsonText(TypeDecorator[Any]):
    """A pydantic model (or any type pydantic knows) as its whole JSON: defaults included, so that a later
    version's defaults do not change what was recorded."""

    impl = Text
    cache_ok = True

    def __init__(self, annotation: Any) -> None:
        super().__init__()
        self.annotation = annotation
        self._adapter: TypeAdapter[Any] = TypeAdapter(annotation)

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """To JSON."""
        return None if value is None else self._adapter.dump_json(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """From JSON."""
        return None if value is None else self._adapter.validate_json(value)


class Unreadable:
    """Stands where a model should: the stored text is none (a row damaged or edited by hand, or by another version)."""

    def __init__(self, problem: str) -> None:
        self.problem = problem


class DefinitionText(JsonText):
    """As `JsonText`, but what cannot be read becomes an `Unreadable`: one bad row must not stop a query of many."""

    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """From JSON."""
        try:
            return super().process_result_value(value, dialect)
        except ValidationError as error:
            return Unreadable(f"its definition in the database cannot be read: {describe(error)}")


class Word(TypeDecorator[Any]):
    """A `StrEnum` as its value."""

    impl = String(32)
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:
        """To its value."""
        return None if value is None else value.value

    def process_literal_param(self, value: StrEnum | None, dialect: Dialect) -> str:
        """Rendered into the statement: partial indexes are chosen by constants, not by parameters."""
        assert value is not None
        return str(value.value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        """From its value."""
        return None if value is None else self.words(value)


class PathText(TypeDecorator[Path]):
    """A path as text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Path | None, dialect: Dialect) -> str | None:
        """To text."""
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Path | None:
        """From text."""
        return None if value is None else Path(value)
