"""The weight space: there and back exactly, always inside, and nothing of the file is lost."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.tuner import weights
from pipeline.tuner.setup import make_setup, restored
from pipeline.tuner.snake_source import BUNDLED, SnakeSource
from pipeline.tuner.space import Space
from pipeline.tuner.weight_rules import PlayedGames, WeightRule, conditions_of, specify
from schemas.errors import SnakeError
from schemas.tuning import TunerSettings

TEXT = """\
# the snake's weights
area: 100.0  # [0, 1000] points
rare: 5.0    # [0, 300] small beside its range: a logarithmic axis
sign: -600.0  # [-20000, 20000] points
share: 0.7   # [0, 1]
steps: 6     # [1, 12] whole
free: 2.5
fast: true
name: viper  # no weight
nested: {deep: [1, 2.5]}
"""
FILE = weights.parse(TEXT, "weights.yaml")
SPACE = Space(FILE, specify(FILE, None))


def points() -> st.SearchStrategy[list[float]]:
    return st.lists(st.floats(0, 1), min_size=len(SPACE.dimensions), max_size=len(SPACE.dimensions))


def test_the_files_own_point_gives_the_file_back_to_the_letter() -> None:
    assert SPACE.file(SPACE.point(FILE.values), FILE).text == TEXT


@settings(deadline=None)
@given(points())
def test_every_point_of_the_cube_is_a_file_inside_the_bounds_and_lies_where_it_says(coordinates: list[float]) -> None:
    point = np.array(coordinates)
    file = SPACE.file(point, FILE)
    again = weights.parse(file.text, "again")
    assert again == weights.WeightFile(file.text, file.weights, "again")
    for path, value in again.values.items():
        rule = SPACE.rules[path]
        assert type(value) is rule.kind
        assert rule.low <= value <= rule.high
    assert SPACE.file(SPACE.point(again.values), again).text == file.text
    assert [line.split("#")[1:] for line in file.text.splitlines()] == [
        line.split("#")[1:] for line in TEXT.splitlines()
    ]


@settings(deadline=None)
@given(points(), st.integers(0, len(SPACE.dimensions) - 1))
def test_a_coordinate_that_did_not_move_leaves_its_weight_exactly(coordinates: list[float], still: int) -> None:
    champion = SPACE.file(np.array(coordinates), FILE)
    point = SPACE.point(champion.values)
    moved = np.where(np.arange(len(point)) == still, point, 1 - point)
    (path,) = SPACE.dimensions[still]
    assert SPACE.file(moved, champion).values[path] == champion.values[path]


def test_a_small_weight_lies_on_a_logarithmic_axis_and_doubles_in_equal_steps() -> None:
    axis = SPACE.axes["rare"]
    assert axis.knee == 5.0
    assert SPACE.axes["area"].knee == 0.0
    far = [float(axis.value(coordinate)) for coordinate in (0.7, 0.8, 0.9)]
    assert far[1] / far[0] == pytest.approx(far[2] / far[1], rel=0.02)
    down, up = (abs(axis.coordinate(value) - axis.origin) for value in (0.0, 10.0))
    assert axis.size == pytest.approx(max(down, up))


def test_groups_move_together_and_frozen_and_inert_weights_stay() -> None:
    rules = {
        "area": WeightRule(float, 0, 1000, 0, None, "ground"),
        "free": WeightRule(float, 0, 25, 0, None, "ground"),
        "share": WeightRule(float, 0, 1, 0),
        "steps": WeightRule(int, 1, 12, 1),
    }
    space = Space(FILE, rules, frozenset({"steps"}))
    assert space.names == ("area + free", "share")
    start = space.point(FILE.values)
    moved = space.file(start + np.array([space.sizes[0], 0.0]), FILE).values
    assert moved["area"] == pytest.approx(200)
    assert moved["free"] == pytest.approx(5)
    assert {path: moved[path] for path in ("share", "steps", "sign")} == {"share": 0.7, "steps": 6, "sign": -600.0}


def test_nothing_left_to_tune_is_told() -> None:
    with pytest.raises(SnakeError, match="no weight is left to tune"):
        Space(FILE, {"steps": WeightRule(int, 1, 12, 1)}, frozenset({"steps"}))


def test_conditions_of_a_specification(tmp_path) -> None:
    spec = tmp_path / "weight_spec.yaml"
    spec.write_text("probe_conditions: {search.budget: 20}\n'*': {scale: log}\n")
    assert dict(conditions_of(spec).probe) == {"search.budget": 20}
    assert dict(conditions_of(spec).gate) == {}
    assert specify(FILE, spec)["area"].scaling == "log"
    spec.write_text("probe_conditions: 5\n")
    with pytest.raises(SnakeError, match="probe_conditions must map"):
        conditions_of(spec)


def test_a_long_time_out_of_counted_games_is_no_weight(tmp_path: Path) -> None:
    """On a busy machine half a second of the clock says nothing about a snake that counts its positions."""
    (tmp_path / "config.yaml").write_text("budget: 4000\n")
    spec = tmp_path / "weight_spec.yaml"
    spec.write_text("probe_conditions: {budget: 400, timeout_ms: 5000}\n")
    source = SnakeSource(tmp_path, tmp_path / "config.yaml", spec, "{binary}")
    setup = make_setup(TunerSettings(), source, weights.read(source.weights_file), "spsa", 3)
    assert (setup.probe(0).referee.timeout_ms, dict(setup.probe(0).overrides)) == (5000, {})  # the budget is tuned here
    assert setup.gate.referee.timeout_ms == 500
    assert restored(setup.plain()).probe(3) == setup.probe(3)
    spec.write_text("gate_conditions: {timeout_ms: soon}\n")
    with pytest.raises(SnakeError, match="gate_conditions sets timeout_ms to 'soon'"):
        make_setup(TunerSettings(), source, weights.read(source.weights_file), "spsa", 3)


def test_what_the_bundled_snake_tunes_in_duels_leaves_its_crowds_alone() -> None:
    """Weights tuned in duels won one game of ten against three of the ones before, where the two were shared."""
    file, spec = weights.read(BUNDLED / "config.yaml"), BUNDLED / "weight_spec.yaml"
    values = file.values
    duels, fours = (specify(file, spec, PlayedGames((games,))) for games in ("duel", "standard"))
    shared = {path for path in duels if not path.startswith("search.")}
    assert len(shared) > 50
    assert {f"crowd.{path}" for path in shared} <= values.keys()
    assert not any("crowd" in path for path in duels)
    assert {path for path in values if path.startswith("crowd.")} <= fours.keys()


def test_the_searchs_games_are_made_dearer_up_to_the_gates(tmp_path: Path) -> None:
    """Numbers that are smaller in the search's games than in the gate's, whether the gate or the file says those."""
    (tmp_path / "config.yaml").write_text("deep: 4000\nwide: 30\nshare: 0.4\nfast: 2\non: true\nzero: 5\n")
    spec = tmp_path / "weight_spec.yaml"
    spec.write_text(
        "'*': {tune: false}\nshare: {tune: true}\nfast: {tune: false}\n"
        "probe_conditions: {deep: 400, wide: 20, fast: 3, on: false, zero: 0, timeout_ms: 900}\n"
        "gate_conditions: {deep: 1500, timeout_ms: 5000}\n"
    )
    source = SnakeSource(tmp_path, tmp_path / "config.yaml", spec, "{binary}")
    setup = make_setup(TunerSettings(), source, weights.read(source.weights_file), "spsa", 3)
    same = {"fast": 3, "on": False, "zero": 0, "timeout_ms": 900}
    found = [restored(setup.plain()).probe_overrides_at(deepened) for deepened in range(4)]
    assert found == [
        same | {"deep": deep, "wide": wide} for deep, wide in ((400, 20), (800, 30), (1500, 30), (1500, 30))
    ]
    old = {name: value for name, value in setup.plain().items() if name != "probe_limits"}
    assert restored(old).probe_overrides_at(3) == found[0]
    assert restored(old).plain() == old, "a ledger of before still verifies"
    del old["settings"]["search_patience_games"]
    del old["settings"]["pool_start"]
    assert restored(old).settings.search_patience_games == 0, "its search had no end of patience"
    assert not restored(old).settings.pool_start
    assert restored(old).plain() == old
