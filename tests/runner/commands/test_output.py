"""Listings on a narrow and a wide terminal."""

import io

import pytest
from rich.console import Console

from runner.commands import output
from runner.commands.output import Column, listing

COLUMNS = (Column("name", whole=True), Column("detail", wide_only=True), Column("reason"))
ROW = ("weekly_comprehensive_training", "left out", "[red]no markup[/], [closed], [/never opened] " + "words " * 20)


def shown(width: int, monkeypatch: pytest.MonkeyPatch) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    monkeypatch.setattr(output, "console", console)
    console.print(listing(COLUMNS, [ROW]))
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 200])
def test_names_stay_whole_and_texts_stay_what_they_are(width, monkeypatch):
    out = shown(width, monkeypatch)
    assert max(map(len, out.splitlines())) <= width
    assert "weekly_comprehensive_training" in out
    assert "[red]no markup[/], [closed]," in out
    assert ("left out" in out) == (width == 200)
