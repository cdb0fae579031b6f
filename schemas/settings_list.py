"""Every setting with kind, default, limits and meaning, read off the models: `ouroboros config NAME`, SETTINGS.md.

python -m schemas.settings_list > schemas/SETTINGS.md
"""

import enum
import json
import sys
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from schemas.meanings import describe
from schemas.settings import Settings

_BOUNDS = {"gt": "above {}", "ge": "at least {}", "lt": "below {}", "le": "at most {}", "pattern": "matches {}"}
_SIMPLE: dict[Any, str] = {
    bool: "true or false", int: "whole number", float: "number", str: "text", Path: "path", type(None): "null",
}  # fmt: skip
_HEAD = """# Settings

What a settings file may hold, made by `python -m schemas.settings_list`. `ouroboros config` prints those in force as
JSON, `ouroboros config NAME` those of a group or one with its meaning, `ouroboros config --save FILE` a file to edit.
It is read from `settings.json` in the state folder, or from where OUROBOROS_CONFIG says (JSON or TOML); a file need
hold only what differs from the defaults. The suffix of a name is its unit: `_s` seconds, `_ms` milliseconds, `_hours`,
`_days`, `_mb` and `_gb` of 2^20 and 2^30 bytes, `_percent`. An unknown name or a value out of bounds is refused with
its line or field.
"""


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting."""

    name: str
    """As it is reached from the top: `guards.cpu_window_s`; NAME stands for a name of your choice."""
    kind: str
    default: str
    limits: str
    meaning: str


def list_settings(under: str = "") -> list[SettingRow]:
    """In the order of the models.

    Args:
        under: a group or one setting, `guards` or `guards.cpu_window_s`; "": all.
    """
    return [row for row in _rows(Settings, "") if not under or row.name == under or row.name.startswith(under + ".")]


def _rows(model: type[BaseModel], prefix: str) -> Iterator[SettingRow]:
    describe(model)
    for name, field in model.model_fields.items():
        inner = _inner_model(field.annotation)
        if inner is None:
            yield _row(prefix + name, field)
            continue
        within, many = inner
        yield from _rows(within, f"{prefix}{name}.{'NAME.' if many else ''}")


def _inner_model(annotation: Any) -> tuple[type[BaseModel], bool] | None:
    """The model that a field holds, and whether it holds many by name."""
    many = typing.get_origin(annotation) is dict
    inner = typing.get_args(annotation)[1] if many else annotation
    return (inner, many) if isinstance(inner, type) and issubclass(inner, BaseModel) else None


def _row(name: str, field: FieldInfo) -> SettingRow:
    default = field.get_default(call_default_factory=True, validated_data={})
    limits = [
        words.format(value)
        for constraint in field.metadata
        for bound, words in _BOUNDS.items()
        if (value := getattr(constraint, bound, None)) is not None
    ]
    meaning = " ".join((field.description or "").split())
    adapter: TypeAdapter[Any] = TypeAdapter(field.rebuild_annotation())
    as_json = json.dumps(adapter.dump_python(default, mode="json"), ensure_ascii=False)
    return SettingRow(name, _kind(field.annotation), as_json, ", ".join(limits), meaning)


def _kind(annotation: Any) -> str:
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return ", ".join(str(member.value) for member in annotation)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_kind(part) for part in inner)
    if origin is typing.Literal:
        return ", ".join(map(str, inner))
    if origin is dict:
        return f"{_kind(inner[1])} by {_kind(inner[0])}"
    if origin in (list, tuple, set, frozenset):
        return f"list of {_kind(inner[0])}"
    return _SIMPLE.get(annotation, getattr(annotation, "__name__", str(annotation)))


def page() -> str:
    """SETTINGS.md: a table for each group."""
    groups: dict[str, list[SettingRow]] = {}
    for row in list_settings():
        groups.setdefault(row.name.partition(".")[0] if "." in row.name else "", []).append(row)
    parts = [_HEAD]
    for group, rows in groups.items():
        parts.append(f"## {f'`{group}`' if group else 'The state folder'}\n")
        parts.append("| name | default | takes | meaning |\n| --- | --- | --- | --- |")
        parts.extend(_line(row) for row in rows)
        parts.append("")
    return "\n".join(parts)


def _line(row: SettingRow) -> str:
    takes = f"{row.kind}{', ' if row.limits else ''}{row.limits}"
    cells = [f"`{row.name}`", f"`{row.default}`", takes, row.meaning]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    sys.stdout.write(page())
