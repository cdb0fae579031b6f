"""How our words are held in columns: instants, models, enumerations and paths.

What people filter and sort by is text that they can read; what only the program compares is a number, and a value that
most rows share is left out. The views `occurrences` and `executions` show all of it as whole text.

A value left out of a row is that of a base (`STATE_BASE`, `USAGE_BASE`), and a letter stands for a long name. Rows lean
on these for ever: they are never edited, not even when a model's defaults change. A field that a base lacks
is simply written out in each row; a later revision of the database may bring new bases.
"""

import json
import string
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import BigInteger, ColumnElement, Dialect, Integer, String, Text, literal
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from runner.store.states import word_of
from schemas.settings import describe
from schemas.times import EPOCH, from_microseconds, kept_instant, to_text

STATE_BASE = (
    '{"status":"idle","current_phase":null,"current_model":null,"champion_model":null,"phases_completed":[],'
    '"progress_percentage":0.0,"total_training_time_hours":0.0,"total_games_processed":0,"total_models_trained":0,'
    '"best_win_rate":0.0,"best_win_rate_low":null,"best_win_rate_high":null,"best_win_rate_games":0,'
    '"best_model_version":null,"inference_time_ms":null,"operation_details":"","iteration":0,"games_per_second":null,'
    '"seed":null,"last_error":null,"error_count":0,"consecutive_failures":0,"cpu_usage_percent":null,'
    '"memory_usage_percent":null,"disk_usage_percent":null,"updated_at":null}'
)
"""Of `executions.pipeline_state_json`."""
USAGE_BASE = (
    '{"samples":0,"peak_memory_mb":0.0,"mean_cpu_percent":0.0,"peak_cpu_percent":0.0,"cpu_time_s":0.0,'
    '"peak_processes":0,"peak_gpu_memory_mb":null,"mean_gpu_percent":null}'
)
"""Of `executions.resource_usage_json`."""

_LONG = 10
RowId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up by itself only in a column declared INTEGER."""
_ANY_DIALECT = DefaultDialect()
"""Our types hold a value in the same way on every database."""
_MICROSECOND = timedelta(microseconds=1)


def short_names(base: str) -> dict[str, str]:
    """The fields of a base with a long name, and the letter that stands for each in a row: such names are most of it.
    Any other field is written out. (SQLite's parser takes a view of up to 24 of them; a base has up to 23.)"""
    return dict(zip((name for name in json.loads(base) if len(name) >= _LONG), string.ascii_letters, strict=False))


class Instant(TypeDecorator[datetime]):
    """An aware datetime as `schemas.times` text: text order is time order.

    What somebody wrote by hand is read as well as can be, so that it costs no other row.

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
        return None if value is None else kept_instant(value)


def to_microseconds(instant: datetime) -> int:
    """Microseconds since 1970: a third of the text's length.

    Raises:
        ValueError: the datetime is naive.
    """
    if instant.tzinfo is None:
        raise ValueError(f"a naive datetime: {instant}")
    return (instant - EPOCH) // _MICROSECOND


class InstantNumber(TypeDecorator[datetime]):
    """An aware datetime as microseconds since 1970.

    Raises:
        ValueError: the datetime is naive.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """To a number."""
        return None if value is None else to_microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """From a number."""
        return None if value is None else from_microseconds(value)


def as_held(kind: TypeEngine[Any], value: Any) -> Any:
    """A value as a column of this type holds it."""
    if isinstance(kind, TypeDecorator):
        return kind.process_bind_param(value, _ANY_DIALECT)
    return value


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


class JsonChanges(JsonText):
    """A model as JSON without what stands in `base` just so: most fields of most rows; the others by their letters. The
    base never changes, whatever becomes of the model's defaults, so that a row means the same for ever; a view shows
    it whole."""

    cache_ok = True

    def __init__(self, annotation: Any, base: str) -> None:
        super().__init__(annotation)
        self.base = base
        self._base: dict[str, Any] = json.loads(base)
        self._names = {letter: name for name, letter in short_names(base).items()}

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """To JSON."""
        return None if value is None else changes(self._adapter.dump_json(value), self.base)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """From JSON."""
        if value is None:
            return None
        told = json.loads(value)
        if not isinstance(told, dict):
            raise ValueError("no JSON object")  # noqa: TRY004 - what every damaged value raises
        named = {self._names.get(name, name): field for name, field in told.items()}
        return self._adapter.validate_python(self._base | named)


def changes(whole: str | bytes, base: str) -> str:
    """A JSON object without the members that `base` has just so, the others by their letters.

    Raises:
        ValueError: it is no JSON object.
    """
    told = json.loads(whole)
    if not isinstance(told, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - what every damaged value raises
    defaults, short = _read_base(base)
    missing = object()
    kept = {short.get(name, name): value for name, value in told.items() if defaults.get(name, missing) != value}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


@cache
def _read_base(base: str) -> tuple[dict[str, Any], dict[str, str]]:
    return json.loads(base), short_names(base)


class UnreadableColumn:
    """Stands where a model should: the stored text is none (a row damaged or edited by hand, or by another version)."""

    def __init__(self, problem: str) -> None:
        self.problem = problem


class DefinitionText(JsonText):
    """As `JsonText`, but what cannot be read becomes an `UnreadableColumn`: one bad row must stop no query of many."""

    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """From JSON."""
        try:
            return super().process_result_value(value, dialect)
        except ValidationError as error:
            return UnreadableColumn(f"its definition in the database cannot be read: {describe(error)}")


class EnumText(TypeDecorator[Any]):
    """A `StrEnum` as its value; a word that somebody wrote by hand and is none of them is read as `otherwise`, so that
    it costs no other row. The row keeps it until the program writes another."""

    impl = String(32)
    cache_ok = True

    def __init__(self, words: type[StrEnum], otherwise: StrEnum) -> None:
        super().__init__()
        self.words, self.otherwise = words, otherwise

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:
        """To its value."""
        return None if value is None else value.value

    def process_literal_param(self, value: StrEnum | None, dialect: Dialect) -> str:
        """Rendered into the statement: partial indexes are chosen by constants, not by parameters."""
        assert value is not None
        return str(value.value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        """From its value."""
        return None if value is None else word_of(value, self.words, self.otherwise)


def constant(word: StrEnum) -> ColumnElement[Any]:
    """A word rendered into the statement: SQLite chooses partial indexes by constants, not by parameters."""
    return literal(word, EnumText(type(word), word), literal_execute=True)


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
