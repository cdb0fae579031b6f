"""Who becomes champion, and what is done with models that cannot be used: real networks, registry and games."""

import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from small_networks import small_network

from pipeline.arena.player import Player, heuristic
from pipeline.engine.planes import ENCODER_ID
from pipeline.evolution.registry import weights_of
from pipeline.orchestrator.model_workshop import POOL, ModelWorkshop
from pipeline.orchestrator.run_record import RunRecord
from schemas.errors import ModelError, SettingsError
from schemas.judging import TournamentConfig
from schemas.model import ByHand, ModelCard, ModelDraft, ModelEventKind, ModelStatus
from schemas.optimization import TrainingOptimizationConfig
from schemas.settings import Settings
from schemas.training import TrainingConfiguration

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
RUN = RunRecord(run_id="run_1", seed=7, started_at=NOON, configuration=TrainingConfiguration(), phases=[])


class Bench:
    """A workshop, and models for it."""

    def __init__(self, home: Path, **tournament: object) -> None:
        judged = TournamentConfig(remeasure_games=8, max_promotion_games=256, games_per_matchup=8)
        self.told: list[str] = []
        settings = Settings(
            home=home,
            tournament=judged.model_copy(update=tournament),
            training_optimization=TrainingOptimizationConfig(threads=1),
        )
        self.workshop = ModelWorkshop(settings, "cpu", lambda: NOON, self.told.append)
        self.shelf = self.workshop.shelf

    def put(self, seed: int, **more: object) -> ModelCard:
        network = small_network(seed)
        known = {
            "name": f"m{seed}", "architecture": "CNN_Simple", "training_phase": "bootstrap", "network": network.config,
            "frame": network.frame, "encoder_id": ENCODER_ID, "created_at": NOON,
        }  # fmt: skip
        return self.shelf.put(ModelDraft.model_validate(known | more), weights_of(network))

    def crown(self, seed: int) -> ModelCard:
        return self.shelf.promote(self.put(seed).id, ByHand(asked_by="a test"), NOON)

    def spoil(self, card: ModelCard) -> None:
        (self.shelf.folder / card.weights_file).write_bytes(b"nothing of ours")


@pytest.fixture
def bench(tmp_path: Path, empty_database: Path) -> Bench:
    torch.set_num_threads(1)
    shutil.copyfile(empty_database, tmp_path / "automation_tracking.db")
    return Bench(tmp_path)


def test_an_untrained_network_never_becomes_the_first_champion(bench: Bench) -> None:
    card = bench.put(1)
    assert bench.workshop.judge(card, RUN, lambda: False) is None
    assert bench.shelf.champion() is None
    assert bench.shelf.card(card.id).status is ModelStatus.REJECTED
    (event,) = bench.shelf.events()
    assert (event.kind, event.evidence["kind"]) == (ModelEventKind.REJECTED, "FirstModel")
    assert event.evidence["floor"] == "heuristic:voronoi"
    assert event.evidence["duels"]["log_likelihood_ratio"] <= event.evidence["duels"]["lower"]
    assert event.evidence["games"] > 0 and event.evidence["measured"]["games"] == 8
    assert any("no champion; not better" in line for line in bench.told), bench.told
    bench.workshop.judge(bench.shelf.card(card.id), RUN, lambda: False)  # told of it again, it decides nothing anew
    assert len(bench.shelf.events()) == 1


def test_what_beats_the_floor_is_the_first_champion(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    card = bench.put(1)

    def player(name: str) -> Player:  # no network of a test is that strong: the strong heuristic sits in its seat
        return Player(f"model:{name}", kind=heuristic("strong").kind)

    monkeypatch.setattr(bench.workshop, "player", player)
    champion = bench.workshop.judge(card, RUN, lambda: False)
    assert champion is not None and champion.id == card.id
    (event,) = bench.shelf.events()
    assert (event.kind, event.evidence["promoted"]) == (ModelEventKind.PROMOTED, True)
    assert event.evidence["duels"]["score"]["low"] > 0.5


def test_the_floor_must_be_a_heuristic_and_is_looked_at_before_anything_is_trained(
    bench: Bench, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=r"'stong'.*first_champion_floor"):
        Bench(tmp_path, first_champion_floor="stong")


def test_a_damaged_champion_makes_way_for_the_one_before_with_the_reason_in_a_row(bench: Bench) -> None:
    first, second = bench.crown(1), bench.crown(2)
    bench.spoil(second)
    champion = bench.workshop.champion()
    assert champion is not None and champion.id == first.id
    event = bench.shelf.events()[-1]
    assert (event.kind, event.model_id, event.previous_id) == (ModelEventKind.ROLLED_BACK, first.id, second.id)
    assert event.evidence["set_aside"] == second.id and "bytes are not those" in str(event.evidence["reason"])
    assert sum("is set aside" in line for line in bench.told) == 1
    assert [card.id for card in bench.workshop.champion_lineage()] == [first.id]


def test_with_no_sound_champion_left_there_is_none_and_the_floor_counts_again(bench: Bench) -> None:
    only = bench.crown(1)
    bench.spoil(only)
    assert bench.workshop.champion() is None
    assert bench.shelf.card(only.id).status is ModelStatus.RETIRED
    assert bench.shelf.events()[-1].kind is ModelEventKind.RETIRED
    assert bench.workshop.judge(bench.put(2), RUN, lambda: False) is None


def test_a_champion_whose_row_cannot_be_read_is_set_aside_too(bench: Bench, tmp_path: Path) -> None:
    first, second = bench.crown(1), bench.crown(2)
    with sqlite3.connect(tmp_path / "automation_tracking.db") as connection:
        connection.execute("UPDATE models SET card_json = '{' WHERE id = ?", (second.id,))
    connection.close()
    champion = bench.workshop.champion()
    assert champion is not None and champion.id == first.id


def test_past_champions_that_cannot_be_used_are_left_out_of_the_pool(bench: Bench) -> None:
    cards = [bench.crown(seed) for seed in (1, 2, 3)]
    bench.spoil(cards[0])
    pool = bench.workshop._pool(cards[2])
    assert [player.name for player in pool] == [*(f"heuristic:{name}" for name in POOL), f"model:{cards[1].id}"]
    assert any("left out of the pool" in line for line in bench.told)


def test_a_first_champion_is_not_put_over_one_that_came_meanwhile(bench: Bench) -> None:
    card, other = bench.put(1), bench.crown(2)
    with pytest.raises(ModelError, match="no longer nobody"):
        bench.shelf.promote(card.id, ByHand(asked_by="x"), NOON, instead_of="")
    assert bench.shelf.champion_id() == other.id
