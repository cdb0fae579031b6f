"""`ouroboros tune screen`: dead weights are named, kept, and shown by the report."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tuning_bench import Bench, Climber, strength

from pipeline.stopping import Stopping
from pipeline.tuner import weights
from pipeline.tuner.backends.simulated import SimulatedBackend
from pipeline.tuner.ledger import Ledger
from pipeline.tuner.report.from_ledger import report_of
from pipeline.tuner.screen import EffectKind, WeightEffect, dead_weights, far_variants, summary
from pipeline.tuner.screen_run import run_screen
from pipeline.tuner.weight_rules import specify
from schemas.settings import Settings
from schemas.tuning import TunerSettings

DEAD = ("other.idle", "other.count", "other.on")


def screened(
    bench: Bench, backend: SimulatedBackend, stopping: Stopping | None = None
) -> tuple[WeightEffect, ...] | None:
    settings = Settings(home=bench.home, tuner=TunerSettings(snake_dir=bench.snake))
    return run_screen(settings, bench.said.append, stopping=stopping, backend=lambda *_: backend)


def test_what_nobody_reads_is_named_and_the_report_shows_it(bench: Bench) -> None:
    effects = screened(bench, SimulatedBackend(strength))
    assert effects is not None
    assert dead_weights(effects) == DEAD
    assert summary(effects).startswith("3 of 5 weights have no effect")
    assert all(name in summary(effects) for name in DEAD)
    bench.trainer(Climber, max_iterations=1).train()
    book = Ledger(bench.state / "ledger.db", read_only=True)
    report = report_of(book, book.runs()[0], datetime(2026, 11, 29, tzinfo=UTC))
    book.close()
    assert {row.path for row in report.weights if row.effect is EffectKind.NO_EFFECT} == set(DEAD)
    assert all(row.effect is not None for row in report.weights)


def test_stopped_it_goes_on_without_playing_a_game_twice(bench: Bench) -> None:
    seen: list[None] = []
    stopped = SimulatedBackend(strength, passing=lambda: seen.append(None), capacity=8)
    assert screened(bench, stopped, Stopping(asked=lambda: len(seen) > 10)) is None
    whole = SimulatedBackend(strength)
    effects = screened(bench, whole)
    assert effects is not None
    assert dead_weights(effects) == DEAD
    first = 4 * (2 * 4 + 1 + 2)  # two ends of four numbers, one of the switch, and the reference twice
    further = 6 * (2 + 4) * (2 * 2 + 1 + 2)  # the three that changed no move, in duels and among four
    assert 10 < stopped.games < first
    assert whole.games == first + further - stopped.games
    again = SimulatedBackend(strength)
    assert screened(bench, again) == effects
    assert again.games == 0


def test_every_weight_goes_to_both_ends_and_a_switch_the_other_way(bench: Bench) -> None:
    champion = weights.read(bench.config)
    moved: dict[str, set[Any]] = {}
    for variant in far_variants(champion, specify(champion, None)):
        values: Mapping[str, Any] = weights.parse(variant.participant.text, "t").values
        (changed,) = [path for path, value in values.items() if value != champion.values[path]]
        assert changed == variant.weight
        moved.setdefault(changed, set()).add(values[changed])
    assert moved == {
        "body.strength": {-2.0, 2.0},
        "body.strength_rarely": {-3, 3},
        "other.idle": {0.0, 50.0},
        "other.count": {0, 70},
        "other.on": {False},
    }
