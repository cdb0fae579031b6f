"""What goes to production: only what passed every check that can be made here; what stands there stays otherwise."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from small_networks import small_network

from pipeline.evaluation.evaluator import judge_games, judge_step
from pipeline.evolution.model_registry import ModelRegistry
from pipeline.export.benchmark import PerformanceBenchmark, ServedFigures
from pipeline.export.serving import RUST_VARIABLE, ServerKind
from pipeline.orchestrator import deployment
from pipeline.orchestrator.deployment import deploy
from schemas.errors import ExportError
from schemas.exported_model import ExportCard
from schemas.model import ByHand, Measured, ModelEvent, ModelEventKind
from schemas.settings import Settings
from schemas.training import TournamentConfig

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
SOUND = {"p99_ms": 3.0, "memory_mb": 36.0, "same_moves": 1.0}


def exported_model(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def event(happened: ModelEventKind, /, **evidence: object) -> ModelEvent:
    return ModelEvent(id=1, kind=happened, model_id="m", previous_id=None, at=NOON, evidence=evidence)


@pytest.fixture
def registry(tmp_path: Path, empty_database: Path) -> ModelRegistry:
    torch.set_num_threads(1)
    (tmp_path / "home").mkdir()
    shutil.copyfile(empty_database, tmp_path / "home" / "automation_tracking.db")
    limits = TournamentConfig(remeasure_games=8)
    return ModelRegistry(Settings(home=tmp_path / "home", tournament=limits), now=lambda: NOON)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, float]:
    """Figures that a server is measured at, instead of a server; what is exported is the model's name, for torch's
    exporter and parity take seconds and have tests of their own."""
    figures = dict(SOUND)

    def export(_network: object, path: Path, *, card: ExportCard, optimize: bool) -> None:
        assert optimize
        path.write_text(card.model_id)
        path.with_suffix(".safetensors").touch()

    monkeypatch.setattr(deployment, "export_onnx", export)
    monkeypatch.setattr(deployment, "exported_model", exported_model)
    monkeypatch.setattr(deployment, "load_champion_model", lambda _: small_network(1))

    def measured(_model: Path, kind: ServerKind, **_: object) -> ServedFigures:
        rest = {"decisions": 10, "p50_ms": 1.0, "worst_ms": 9.0, "start_s": 0.1}
        return ServedFigures(server=kind, **rest | figures)

    monkeypatch.setattr("pipeline.export.benchmark.measure_server", measured)
    program = tmp_path / "rust-snake"
    program.touch()
    monkeypatch.setenv(RUST_VARIABLE, str(program))
    same = type("Parity", (), {"positions": 1, "logits_error": 0.0, "value_error": 0.0})
    monkeypatch.setattr(deployment, "check_parity", lambda *_: same)
    return figures


def champion(registry: ModelRegistry, seed: int, win_rate: float | None = 0.8) -> str:
    model = small_network(seed)
    measured = {} if win_rate is None else {"win_rate": Measured(value=win_rate, games=400, how="duels")}
    model_id = registry.register_model(model, {"name": f"m{seed}", "performance_metrics": measured})
    registry.promote(model_id)
    return model_id


def put(registry: ModelRegistry, model_id: str, told: list[str] | None = None) -> tuple[Path, tuple[str, ...]]:
    path = registry.model_store.folder / "production" / "champion.onnx"
    exported = deploy(registry, registry_settings(registry), model_id, path, (told if told is not None else []).append)
    return path, exported.unchecked


def registry_settings(registry: ModelRegistry) -> Settings:
    return Settings(home=registry.model_store.folder.parent, tournament=TournamentConfig(remeasure_games=8))


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"p99_ms": 12.0}, "12.00 ms"),
        ({"memory_mb": 51.0}, "rust server takes 51.0 MB"),
        ({"same_moves": 0.9}, "only 90.0% of the answers"),
        ({"win_rate": 0.4}, "wins 40.0% of 400 duels"),
        ({"win_rate": None}, "never measured"),
    ],
    ids=str,
)
def test_a_broken_limit_replaces_nothing_and_is_told(
    registry: ModelRegistry, served: dict[str, float], broken: dict[str, float | None], reason: str
) -> None:
    path, _ = put(registry, sound := champion(registry, 1))
    assert exported_model(path) == sound
    rate = broken.get("win_rate", 0.8)
    worse = champion(registry, 2, rate)
    served.update({name: value for name, value in broken.items() if name != "win_rate" and value is not None})
    with pytest.raises(ExportError, match=reason):
        put(registry, worse)
    assert exported_model(path) == sound


def test_where_the_rust_server_is_not_built_no_other_ones_memory_stands_for_it(
    registry: ModelRegistry, served: dict[str, float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(RUST_VARIABLE)
    monkeypatch.setattr("pipeline.export.serving._PROGRAM", tmp_path / "nowhere")
    served["memory_mb"] = 300.0  # of the Python server
    told: list[str] = []
    model = champion(registry, 1)
    path, unchecked = put(registry, model, told)
    assert exported_model(path) == model
    assert len(unchecked) == 1 and "the Rust server is not built" in unchecked[0]
    assert any("not checked here" in line for line in told)
    assert "memory_usage_mb" not in registry.model_store.card(model).measured
    ready, metrics = PerformanceBenchmark(registry_settings(registry)).validate_production_readiness(Path(path))
    assert (ready, metrics["reasons"], metrics["server"]) == (False, [], "python"), "not measured is not ready"
    served["same_moves"] = 0.5
    with pytest.raises(ExportError, match="own best moves"):
        put(registry, champion(registry, 2))


@pytest.mark.parametrize(("score", "goes"), [(0.0, False), (1.0, True)])
def test_what_stands_there_and_was_never_beaten_has_to_be_played(
    registry: ModelRegistry, served: dict[str, float], monkeypatch: pytest.MonkeyPatch, score: float, goes: bool
) -> None:
    path, _ = put(registry, before := champion(registry, 1))
    registry.model_store.set_aside_champion(NOON, ByHand(asked_by="a test"))  # out of the line of champions
    after = champion(registry, 2)
    played: list[int] = []

    def duel(_mine: object, _theirs: object, seeds: object, _conditions: object) -> list[float]:
        played.append(len(seeds))
        return torch.full((len(seeds),), score).numpy()

    monkeypatch.setattr(deployment, "play_pairs", duel)
    if goes:
        put(registry, after)
    else:
        with pytest.raises(ExportError, match="worse than what it would replace"):
            put(registry, after)
    assert played == [4]
    assert exported_model(path) == (after if goes else before)


def test_who_became_first_champion_untested_goes_nowhere() -> None:
    assert judge_step(event(ModelEventKind.PROMOTED, kind="FirstModel", reason="there was none"))
    assert judge_step(None)
    assert judge_step(event(ModelEventKind.RETIRED))
    assert not judge_step(event(ModelEventKind.PROMOTED, kind="FirstModel", promoted=True))
    assert not judge_step(event(ModelEventKind.PROMOTED, kind="PromotionDecision", promoted=True))
    assert not judge_step(event(ModelEventKind.ROLLED_BACK))


def test_a_win_rate_that_was_only_claimed_is_none(registry: ModelRegistry) -> None:
    model = registry.register_model(small_network(3), {"name": "c", "performance_metrics": {"win_rate": 0.9}})
    assert judge_games(registry.model_store.card(model), TournamentConfig())
