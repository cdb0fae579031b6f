"""A run is decided again from its ledger, and a ledger that was changed is found out."""

import re
import sqlite3
from typing import Any

import pytest
from click.testing import CliRunner
from tuning_bench import Bench, Climber

from pipeline.tuner.command import tune
from pipeline.tuner.ledger import Ledger
from pipeline.tuner.verify import verify


def ask(bench: Bench, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    monkeypatch.setenv("OUROBOROS_HOME", str(bench.home))
    return CliRunner().invoke(tune, list(arguments))


def change(bench: Bench, statement: str) -> None:
    book = sqlite3.connect(bench.state / "ledger.db")
    assert book.execute(statement).rowcount > 0
    book.commit()
    book.close()


@pytest.fixture
def searched(bench: Bench) -> Bench:
    """A run of the default search with a promotion, an edit, a restart and another strategy in it."""
    bench.trainer(max_iterations=1, games=30, target_improvement=0.1, screen=True).train()
    bench.config.write_text(bench.config.read_text().replace("count: ", "count:  "))
    bench.trainer(max_iterations=3, search="momentum").train()
    return bench


def test_a_run_is_decided_again_from_its_games_and_comes_to_the_same(
    searched: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ask(searched, monkeypatch, "verify")
    assert said.exit_code == 0, said.output
    assert re.search(r"✓ \d+_\d+_\w+: \d+ steps decided again from \d+ games, 3 verdicts", said.output)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE games SET died_on = '[5, 0]' WHERE job = '1/probe/7/duel'", "told"),
        (
            "UPDATE steps SET body = json_set(body, '$.gain', 0.3) WHERE kind = 'judged'",
            "gain should be",
        ),
        ("UPDATE steps SET body = json_set(body, '$.setup.settings.games', '20') WHERE serial = 1", "setup should be"),
        ("DELETE FROM games WHERE job = '1/probe/3/duel' AND number = 2", "1 games of 1/probe/3/duel are not in"),
        ("UPDATE runs SET state = json_set(state, '$.total_games', 1)", "the state in the ledger"),
    ],
)
def test_a_ledger_that_was_changed_is_found_out(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, statement: str, words: str
) -> None:
    bench.trainer(max_iterations=1, target_improvement=0.49, max_games=20).train()
    change(bench, statement)
    said = ask(bench, monkeypatch, "verify")
    assert said.exit_code == 1
    assert words in said.output
    assert len(said.output) < 700, "the whole setup was told"


def test_a_search_of_ones_own_is_taken_as_recorded(bench: Bench) -> None:
    bench.trainer(Climber, max_iterations=2).train()
    book = Ledger(bench.state / "ledger.db", read_only=True)
    found = verify(book, book.runs()[0])
    book.close()
    assert found.disagreement == ""
    assert found.taken_as_recorded
    assert found.decisions == 2
