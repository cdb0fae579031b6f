"""The settings that come with the program: they load, set nothing that does nothing, and are named as guided."""

import pytest

from schemas.errors import SettingsError
from schemas.phases import refuse_idle_knobs
from schemas.settings import PRESETS, get_config


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_is_what_the_process_runs_under(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRAINING_CONFIG", name)
    settings = get_config()
    for phase, config in settings.training_phases.items():
        refuse_idle_knobs(phase, config)
    for phase in ("self_play", "continuous"):
        assert settings.training_phases[phase].games_required >= 10**9, "time alone ends it"
    wide = settings.neural_network.conv_channels >= 64 and settings.neural_network.use_multi_gpu
    assert wide == (name != "cpu-training")


def test_a_named_file_goes_before_a_preset(monkeypatch, tmp_path):
    (tmp_path / "mine.json").write_text('{"self_play": {"environments": 3}}')
    monkeypatch.setenv("OUROBOROS_CONFIG", str(tmp_path / "mine.json"))
    monkeypatch.setenv("TRAINING_CONFIG", "production")
    assert get_config().self_play.environments == 3


def test_an_unknown_preset_is_refused_in_one_sentence_that_names_the_known_ones(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRAINING_CONFIG", "prod")
    with pytest.raises(SettingsError, match=r"no settings are called 'prod'; there are production.*TRAINING_CONFIG"):
        get_config()
