"""The page that lists tables, views and columns for users of plain SQL says what the database holds."""

import re
from pathlib import Path

from sqlalchemy import inspect

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
    with store.look() as connection:
        inspector = inspect(connection)
        names = dict.fromkeys(inspector.get_table_names(), "table")
        names |= dict.fromkeys(inspector.get_view_names(), "view")
        columns = {
            (name, kind): [column["name"] for column in inspector.get_columns(name)] for name, kind in names.items()
        }
    assert listed() == columns
