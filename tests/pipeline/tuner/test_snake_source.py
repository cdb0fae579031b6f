"""Which snake is tuned: the user's, or a working copy of the bundled one that is the user's from then on."""

from pathlib import Path

import pytest

from pipeline.tuner import snake_source as source
from pipeline.tuner.setup import played_games
from pipeline.tuner.weight_rules import specify
from pipeline.tuner.weights import read
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


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_bundled_snake_is_copied_and_its_own_folder_never_tuned(bundled: Path, tmp_path: Path) -> None:
    found = source.snake_source(Settings(home=tmp_path / "home"))
    assert found.folder == tmp_path / "home" / "go-snake"
    assert found.weights_file.read_text() == "a: 1\nb: 2\n"
    assert (found.folder / "brain" / "brain.go").exists()
    assert found.run_command == "{binary} -config {config}"
    assert found.specification is None
    assert found.news == ""


def test_a_start_changes_nothing_in_the_users_copy(bundled: Path, tmp_path: Path) -> None:
    """Edited, added and removed files all stay as the user left them, whatever the bundled snake has become."""
    settings = Settings(home=tmp_path / "home")
    copy = source.snake_source(settings).folder
    (copy / "config.yaml").write_text("a: 7\nmine: 2\n")
    (copy / "brain" / "brain.go").write_text("package brain // mine\n")
    (copy / "notes.txt").write_text("mine\n")
    before = contents(copy)
    assert source.snake_source(settings).news == ""
    (bundled / "brain" / "brain.go").write_text("package brain // newer\n")
    (bundled / "weight_spec.yaml").write_text("a: {high: 9}\n")
    found = source.snake_source(settings)
    assert contents(copy) == before
    assert found.specification is None
    assert "2 files, brain/brain.go" in found.news
    assert "ouroboros tune update-snake" in found.news


def test_a_copy_of_an_earlier_version_that_noted_no_origin_is_left_alone_too(bundled: Path, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    copy = source.snake_source(settings).folder
    (copy / source.ORIGIN_NAME).unlink()
    (copy / "brain" / "brain.go").write_text("package brain // mine\n")
    before = contents(copy)
    assert "1 files, brain/brain.go" in source.snake_source(settings).news
    assert contents(copy) == before


def test_weights_that_were_moved_away_start_again_from_the_bundled_ones(bundled: Path, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    copy = source.snake_source(settings).folder
    (copy / "config.yaml").unlink()
    assert "starts again from the bundled weights" in source.snake_source(settings).news
    assert (copy / "config.yaml").read_text() == "a: 1\nb: 2\n"


def test_a_copy_that_was_killed_half_way_leaves_nothing_behind(bundled: Path, tmp_path: Path) -> None:
    half = tmp_path / "home" / ".go-snake.abc.tmp"
    half.mkdir(parents=True)
    (half / "config.yaml").write_text("a: 1\n")
    copy = source.snake_source(Settings(home=tmp_path / "home")).folder
    assert sorted(path.name for path in copy.parent.iterdir()) == ["go-snake"]


def test_a_snake_of_ones_own_is_tuned_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    tuner = TunerSettings(snake_dir=tmp_path / "mine", config_file="deep/weights.yaml", weight_spec=tmp_path / "s.yaml")
    found = source.snake_source(Settings(home=tmp_path / "home", tuner=tuner))
    assert found.folder == tmp_path / "mine"
    assert found.weights_file == tmp_path / "mine" / "deep" / "weights.yaml"
    assert found.specification == tmp_path / "s.yaml"
    assert found.run_command == "{binary}"


def test_the_real_bundled_snakes_specification_fits_its_weights() -> None:
    """Computing time is not for the tuner: more of it would always win. What only acts in some games is for those."""
    weights, spec = read(source.BUNDLED / "config.yaml"), source.BUNDLED / "weight_spec.yaml"

    def tuned(**played: str) -> set[str]:
        tuner = TunerSettings.model_validate(played)
        return set(specify(weights, spec, played_games(tuner)))

    duels, fours, mixed = tuned(), tuned(objective="standard"), tuned(objective="mixed")
    assert len(duels) >= 40
    assert not [path for path in duels if "budget" in path or "crowd" in path]
    assert fours == mixed
    crowds = {path for path in weights.weights if "crowd" in path or path.startswith("search.reply_")}
    assert fours - duels == crowds - {"search.crowd_budget"}
    assert {path.split(".")[0] for path in tuned(ruleset="royale") - duels} == {"hazard"}
    assert tuned(map="hz_islands") == tuned(ruleset="royale")
    assert tuned(ruleset="constrictor") - duels == {"space.area_constrictor"}
