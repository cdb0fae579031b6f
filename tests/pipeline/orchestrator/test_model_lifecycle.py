"""Who becomes champion, and what is done with models that cannot be used: real networks, registry and games."""

import itertools
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from small_networks import small_network

from pipeline.engine.planes import ENCODER_ID
from pipeline.evolution.model_registry import arrays_of
from pipeline.orchestrator.model_evolution import ModelEvolutionSystem
from pipeline.orchestrator.model_lifecycle import POOL, ModelLifecycle
from pipeline.orchestrator.pipeline import SelfPlayTrainingPipeline
from pipeline.orchestrator.run_record import RunRecord
from pipeline.simulator import journal
from pipeline.simulator.competitor import Competitor, heuristic
from schemas.errors import ModelError, SettingsError, StoppedError
from schemas.model import ByHand, ModelCard, ModelDraft, ModelEventKind, ModelStatus, Returned
from schemas.network import NeuralNetworkConfig, light_network
from schemas.settings import Settings
from schemas.training import TournamentConfig, TrainingConfiguration, TrainingOptimizationConfig, TrainingPhase

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
RUN = RunRecord(run_id="run_1", seed=7, started_at=NOON, configuration=TrainingConfiguration(), phases=[])


class Bench:
    """A lifecycle, and models for it."""

    def __init__(self, home: Path, **tournament: object) -> None:
        judged = TournamentConfig(remeasure_games=8, max_promotion_games=256, games_per_matchup=8)
        self.told: list[str] = []
        settings = Settings(
            home=home,
            tournament=judged.model_copy(update=tournament),
            training_optimization=TrainingOptimizationConfig(threads=1),
        )
        self.lifecycle = ModelLifecycle(settings, "cpu", lambda: NOON, self.told.append)
        self.model_store = self.lifecycle.model_store

    def put(self, seed: int, **more: object) -> ModelCard:
        network = small_network(seed)
        known = {
            "name": f"m{seed}", "architecture": "CNN_Simple", "training_phase": "bootstrap", "network": network.config,
            "frame": network.frame, "encoder_id": ENCODER_ID, "created_at": NOON,
        }  # fmt: skip
        return self.model_store.put(ModelDraft.model_validate(known | more), arrays_of(network))

    def crown(self, seed: int) -> ModelCard:
        return self.model_store.promote(self.put(seed).id, ByHand(asked_by="a test"), NOON)

    def spoil(self, card: ModelCard) -> None:
        (self.model_store.folder / card.weights_file).write_bytes(b"nothing of ours")


@pytest.fixture
def bench(tmp_path: Path, empty_database: Path) -> Bench:
    torch.set_num_threads(1)
    shutil.copyfile(empty_database, tmp_path / "automation_tracking.db")
    return Bench(tmp_path)


def test_an_untrained_network_never_becomes_the_first_champion(bench: Bench) -> None:
    card = bench.put(1)
    assert bench.lifecycle.judge(card, RUN, lambda: False) is None
    assert bench.model_store.champion() is None
    assert bench.model_store.card(card.id).status is ModelStatus.REJECTED
    (event,) = bench.model_store.events()
    assert (event.kind, event.evidence["kind"]) == (ModelEventKind.REJECTED, "FirstModel")
    assert event.evidence["floor"] == "heuristic:voronoi"
    assert event.evidence["duels"]["log_likelihood_ratio"] <= event.evidence["duels"]["lower"]
    assert event.evidence["games"] > 0 and event.evidence["measured"]["games"] == 8
    assert any("no champion; not better" in line for line in bench.told), bench.told
    bench.lifecycle.judge(
        bench.model_store.card(card.id), RUN, lambda: False
    )  # told of it again, it decides nothing anew
    assert len(bench.model_store.events()) == 1


def test_what_beats_the_floor_is_the_first_champion(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    card = bench.put(1)

    def player(name: str) -> Competitor:  # no network of a test is that strong: the strong heuristic sits in its seat
        return Competitor(f"model:{name}", kind=heuristic("strong").kind)

    monkeypatch.setattr(bench.lifecycle, "player", player)
    champion = bench.lifecycle.judge(card, RUN, lambda: False)
    assert champion is not None and champion.id == card.id
    (event,) = bench.model_store.events()
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
    champion = bench.lifecycle.champion()
    assert champion is not None and champion.id == first.id
    event = bench.model_store.events()[-1]
    assert (event.kind, event.model_id, event.previous_id) == (ModelEventKind.ROLLED_BACK, first.id, second.id)
    assert event.evidence["set_aside"] == second.id and "bytes are not those" in str(event.evidence["reason"])
    assert sum("is set aside" in line for line in bench.told) == 1
    assert [card.id for card in bench.lifecycle.champion_lineage()] == [first.id]


def test_with_no_sound_champion_left_there_is_none_and_the_floor_counts_again(bench: Bench) -> None:
    only = bench.crown(1)
    bench.spoil(only)
    assert bench.lifecycle.champion() is None
    assert bench.model_store.card(only.id).status is ModelStatus.RETIRED
    assert bench.model_store.events()[-1].kind is ModelEventKind.RETIRED
    assert bench.lifecycle.judge(bench.put(2), RUN, lambda: False) is None


def test_a_champion_whose_row_cannot_be_read_is_set_aside_too(bench: Bench, tmp_path: Path) -> None:
    first, second = bench.crown(1), bench.crown(2)
    with sqlite3.connect(tmp_path / "automation_tracking.db") as connection:
        connection.execute("UPDATE models SET card_json = '{' WHERE id = ?", (second.id,))
    connection.close()
    champion = bench.lifecycle.champion()
    assert champion is not None and champion.id == first.id


def test_past_champions_that_cannot_be_used_are_left_out_of_the_pool(bench: Bench) -> None:
    cards = [bench.crown(seed) for seed in (1, 2, 3)]
    bench.spoil(cards[0])
    pool = bench.lifecycle._pool(cards[2])
    assert [player.name for player in pool] == [*(f"heuristic:{name}" for name in POOL), f"model:{cards[1].id}"]
    assert any("left out of the pool" in line for line in bench.told)


def test_a_first_champion_is_not_put_over_one_that_came_meanwhile(bench: Bench) -> None:
    card, other = bench.put(1), bench.crown(2)
    with pytest.raises(ModelError, match="no longer nobody"):
        bench.model_store.promote(card.id, ByHand(asked_by="x"), NOON, instead_of="")
    assert bench.model_store.champion_id() == other.id


def test_judging_that_has_no_time_plays_the_least_and_promotes_nobody(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = bench.put(1)

    def player(name: str) -> Competitor:
        return Competitor(f"model:{name}", kind=heuristic("strong").kind)

    monkeypatch.setattr(bench.lifecycle, "player", player)
    bench.lifecycle.settings.tournament.remeasure_games = 4000
    bench.lifecycle.settings.tournament.max_promotion_games = 100_000
    bench.lifecycle.settings.tournament.minimum_improvement = 0.001
    run = RUN.model_copy(update={"configuration": TrainingConfiguration(min_improvement_threshold=0.001)})
    assert bench.lifecycle.judge(card, run, lambda: False, 0.0) is None
    (event,) = bench.model_store.events()
    assert (event.kind, event.evidence["outcome"]) == (ModelEventKind.REJECTED, "undecided")
    assert "that time and settings allow" in str(event.evidence["reason"])
    assert event.evidence["games"] == 128, "one look"
    assert {found.snakes: found.games for found in bench.model_store.evaluations(card.id)} == {2: 128, 4: 256}


def test_a_judgement_that_was_stopped_goes_on_game_by_game_and_measures_nothing_twice(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    card, played = bench.put(1), []
    real = journal.play_matches

    def counted(players, seatings, seeds, *rest, **options):
        done = real(players, seatings, seeds, *rest, **options)
        played.append(len(seeds))
        return done

    monkeypatch.setattr(journal, "play_matches", counted)
    for turns in (20, 60, 100):
        looks = itertools.count()
        with pytest.raises(StoppedError):
            bench.lifecycle.judge(card, RUN, lambda looks=looks, turns=turns: next(looks) >= turns)
    assert bench.model_store.card(card.id).status is ModelStatus.CANDIDATE
    bench.lifecycle.judge(card, RUN, lambda: False)
    (event,) = bench.model_store.events()
    files = list(bench.lifecycle.settings.pipeline_dir.rglob("judging/*.jsonl"))
    assert [file.stem for file in files] == [card.id]
    assert len(files[0].read_text().splitlines()) == 8 + 8 + event.evidence["games"], "each game once"
    assert sum(played) < 8 + 8 + event.evidence["games"], "what ended before a stop was not asked for again"
    measured = [(found.opponent, found.snakes) for found in bench.model_store.evaluations(card.id)]
    assert len(measured) == len(set(measured)) == 2


def test_a_return_to_the_champion_is_a_row_once(bench: Bench) -> None:
    champion = bench.crown(1)
    evidence = Returned(learner="m2", refused=3, reason="3 cycles in a row were refused")
    for _ in range(2):
        bench.lifecycle._note_return(champion.id, evidence)
    told = [event for event in bench.model_store.events(champion.id) if event.kind is ModelEventKind.RETURNED_TO]
    assert [event.evidence["reason"] for event in told] == ["3 cycles in a row were refused"]
    assert bench.model_store.champion_id() == champion.id


def test_by_hand_the_same_network_is_built_as_by_the_pipeline(bench: Bench, tmp_path: Path) -> None:
    for asked in (NeuralNetworkConfig(), NeuralNetworkConfig(conv_channels=32)):
        settings = bench.lifecycle.settings.model_copy(update={"neural_network": asked})
        by_hand = ModelEvolutionSystem(settings, device="cpu", seed=1)
        pipeline = SelfPlayTrainingPipeline(settings)._lifecycle(
            TrainingConfiguration(device="cpu"), lambda _line: None
        )
        built = by_hand.settings.neural_network
        assert built == pipeline.settings.neural_network
        assert built == (light_network() if asked == NeuralNetworkConfig() else asked)


def test_by_hand_a_phase_without_a_length_takes_what_a_run_would_give_it(bench: Bench) -> None:
    by_hand = ModelEvolutionSystem(bench.lifecycle.settings, device="cpu", seed=1)
    shares = {name: phase.time_share for name, phase in by_hand.settings.training_phases.items()}
    budget_s = by_hand._budget_s(TrainingPhase.SELF_PLAY, {})
    assert budget_s == pytest.approx(12 * 3600 * shares["self_play"] / sum(shares.values()))
    assert by_hand._budget_s(TrainingPhase.SELF_PLAY, {"max_epochs": 3}) > 365 * 86_400
