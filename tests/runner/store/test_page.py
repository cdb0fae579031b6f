"""The page that lists tables, views and columns for users of plain SQL says what the database holds."""

import re
import sqlite3
from pathlib import Path

import runner.store
from runner.store.engine import Store

PAGE = Path(runner.store.__file__).with_name("README.md")


def listed() -> dict[tuple[str, str], list[str]]:
    """Name and kind -> columns, as the page has them; each column says what it holds."""
    parts = re.split(r"^## `(\w+)` \((table|view)\)$", PAGE.read_text(), flags=re.MULTILINE)[1:]
    return {
        (name, kind): re.findall(r"^\| `(\w+)` \| \S", body, flags=re.MULTILINE)
        for name, kind, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    }


def test_the_page_lists_every_table_view_and_column(store: Store) -> None:
    assert store.path is not None
    plain = sqlite3.connect(store.path)
    found = plain.execute(
        "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    columns = {key: [row[1] for row in plain.execute(f"PRAGMA table_info({key[0]})")] for key in found}
    plain.close()
    assert listed() == columns
