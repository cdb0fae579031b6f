"""Which snake is tuned: the user's, or a working copy of the bundled one that survives upgrades."""

from pathlib import Path

import pytest

from pipeline.tuner import snake_source as source
from pipeline.tuner.specification import specify
from pipeline.tuner.weights import read
from schemas.errors import SnakeError
from schemas.settings import Settings
from schemas.tuning import TunerSettings


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bundled"
    (folder / "brain").mkdir(parents=True)
    (folder / "config.yaml").write_text("a: 1\nb: 2\n")
    (folder / "brain" / "brain.go").write_text("package brain\n")
    monkeypatch.setattr(source, "BUNDLED", folder)
    return folder


def test_the_bundled_snake_is_copied_and_its_own_folder_never_tuned(bundled: Path, tmp_path: Path) -> None:
    found = source.snake_source(Settings(home=tmp_path / "home"))
    assert found.folder == tmp_path / "home" / "go-snake"
    assert found.weights_file.read_text() == "a: 1\nb: 2\n"
    assert (found.folder / "brain" / "brain.go").exists()
    assert found.run_command == "{binary} -config {config}"
    assert found.specification is None


def test_an_upgrade_brings_new_source_and_keeps_tuned_weights(bundled: Path, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    copy = source.snake_source(settings).folder
    (copy / "config.yaml").write_text("a: 7\nb: 2\n")
    (bundled / "brain" / "brain.go").write_text("package brain // newer\n")
    (bundled / "weight_spec.yaml").write_text("a: {high: 9}\n")
    found = source.snake_source(settings)
    assert (copy / "config.yaml").read_text() == "a: 7\nb: 2\n"
    assert (copy / "brain" / "brain.go").read_text() == "package brain // newer\n"
    assert found.specification == copy / "weight_spec.yaml"


def test_an_upgrade_with_other_weights_is_told_with_a_way_out(bundled: Path, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    source.snake_source(settings)
    (bundled / "config.yaml").write_text("a: 1\nc: 2\n")
    with pytest.raises(SnakeError, match=r"new \['c'\], gone \['b'\].*Move the file away"):
        source.snake_source(settings)
    (tmp_path / "home" / "go-snake" / "config.yaml").unlink()
    assert source.snake_source(settings).weights_file.read_text() == "a: 1\nc: 2\n"


def test_a_snake_of_ones_own_is_tuned_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    tuner = TunerSettings(snake_dir=tmp_path / "mine", config_file="deep/weights.yaml", weight_spec=tmp_path / "s.yaml")
    found = source.snake_source(Settings(home=tmp_path / "home", tuner=tuner))
    assert found.folder == tmp_path / "mine"
    assert found.weights_file == tmp_path / "mine" / "deep" / "weights.yaml"
    assert found.specification == tmp_path / "s.yaml"
    assert found.run_command == "{binary}"


def test_the_real_bundled_snakes_specification_fits_its_weights() -> None:
    """Computing time is not for the tuner: more of it would always win."""
    weights = read(source.BUNDLED / "config.yaml")
    rules = specify(weights, source.BUNDLED / "weight_spec.yaml")
    assert len(rules) >= 40
    assert not [path for path in rules if "budget" in path or "crowd" in path]
