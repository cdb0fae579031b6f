"""Kinds, bounds and steps: derived, overridden, and kept to."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.tuner.weight_rules import PlayedGames, WeightRule, specify
from pipeline.tuner.weights import parse
from schemas.errors import SnakeError

TEXT = "a: 3 # [1, 10]\nb: 2.0\nc: -4.0\nd: 0.0\non: true\ns: {x: 1, y: 2}\n"


def spec_file(folder: Path, text: str) -> Path:
    path = folder / "weight_spec.yaml"
    path.write_text(text)
    return path


def test_rules_are_derived_from_the_file() -> None:
    rules = specify(parse(TEXT, "t.yaml"), None)
    assert rules["a"] == WeightRule(int, 1, 10, 1)
    assert rules["b"] == WeightRule(float, 0, 20, 0)
    assert rules["c"] == WeightRule(float, -40, 0, 0)
    assert rules["d"].low < 0 < rules["d"].high
    assert rules["on"].kind is bool
    assert list(rules) == ["a", "b", "c", "d", "on", "s.x", "s.y"]


def test_overrides_win_and_patterns_reach_many(tmp_path: Path) -> None:
    text = "s.*: {tune: false}\nb: {low: 1.0, high: 3, step: 0.5}\ns.y: {high: 4, tune: true}\n"
    rules = specify(parse(TEXT, "t.yaml"), spec_file(tmp_path, text))
    assert "s.x" not in rules
    assert rules["s.y"] == WeightRule(int, 0, 4, 1)
    assert rules["b"] == WeightRule(float, 1, 3, 0.5)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nope: {tune: false}", "no weight is called 'nope'"),
        ("b: {low: 3}", "b = 2.0 does not fit"),
        ("b: {low: 3, high: 1}", "does not fit"),
        ("a: {step: 0.5}", "does not fit"),
        ("a: {kind: float}", "written as int but is to be float.*2.0 instead of 2"),
        ("b: {hihg: 3}", "hihg"),
        ("b: [1]", "wrong"),
        ("'*': {tune: false}", "every weight is excluded"),
        ("- b", "no weight paths"),
        ("b: {", "malformed YAML"),
    ],
)
def test_a_bad_specification_is_explained(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SnakeError, match=words):
        specify(parse(TEXT, "t.yaml"), spec_file(tmp_path, text))


def test_a_missing_specification_is_named(tmp_path: Path) -> None:
    with pytest.raises(SnakeError, match=r"cannot be read.*gone\.yaml"):
        specify(parse(TEXT, "t.yaml"), tmp_path / "gone.yaml")


@settings(deadline=None)
@given(
    st.sampled_from([(float, 0.0), (float, 0.25), (int, 1.0), (int, 3.0)]),
    st.floats(-100, 100),
    st.floats(1, 100),
    st.floats(0, 1),
    st.floats(-1, 1),
)
def test_a_move_changes_the_value_and_stays_inside(
    kind_and_step: tuple[type[int] | type[float], float], low: float, width: float, place: float, share: float
) -> None:
    kind, step = kind_and_step
    low, width = (round(low), max(4, round(width))) if kind is int else (low, width)
    rule = WeightRule(kind, low, low + width, step)
    value = rule.fitted(low + place * width)
    moved = rule.moved(value, share if abs(share) > 0.01 else 0.01)
    assert type(moved) is kind
    slack = 1e-5 * max(1.0, abs(low) + width)
    assert low - slack <= moved <= low + width + slack
    assert moved != value


def test_a_switch_is_flipped_and_a_zero_can_be_left() -> None:
    assert WeightRule(bool, 0, 1, 1).moved(True, 0.01) is False
    assert WeightRule(float, -1, 1, 0).moved(0.0, 0.15) == pytest.approx(0.015)
    assert WeightRule(int, 1, 10, 1).moved(3, -0.01) == 2


def test_a_port_is_no_weight_unless_the_user_says_so(tmp_path: Path) -> None:
    file = parse("server:\n  port: 8127\nspeed: 2.0\n", "x")
    assert set(specify(file, None)) == {"speed"}
    spec = tmp_path / "spec.yaml"
    spec.write_text("server.port: {low: 8000, high: 9000}\n")
    assert set(specify(file, spec)) == {"server.port", "speed"}


def test_an_enumeration_is_counted_by_its_places() -> None:
    file = parse("mode: b # {a, b, c}\nsize: 8 # {2, 8, 32}\n", "t.yaml")
    rules = specify(file, None)
    assert rules["mode"].levels == rules["size"].levels == 3
    assert rules["mode"].others("b") == [(-1, "a"), (1, "c")]
    assert rules["size"].others(2) == [(1, 8), (1, 32)]
    assert (rules["mode"].moved("b", 0.15), rules["mode"].moved("c", 0.15)) == ("c", "b")
    assert rules["size"].fitted(1.4) == 8


def test_weights_that_matter_only_in_some_games_are_tuned_there(tmp_path: Path) -> None:
    spec = spec_file(
        tmp_path, "a: {only_in: {games: [standard]}}\nb: {only_in: {rulesets: [royale], maps: ['hz_*']}}\n"
    )
    file = parse(TEXT, "t.yaml")
    assert {"a", "b"}.isdisjoint(specify(file, spec))
    assert "a" in specify(file, spec, PlayedGames(("duel", "standard")))
    assert "b" in specify(file, spec, PlayedGames(ruleset="royale"))
    assert "b" in specify(file, spec, PlayedGames(map="hz_rivers"))
    with pytest.raises(SnakeError, match="games"):
        specify(file, spec_file(tmp_path, "a: {only_in: {games: [chess]}}\n"))


def test_no_value_leaves_the_bounds_as_it_is_written() -> None:
    """Bounds of more digits than are written, and a whole number between bounds that are none."""
    text = "a: 0.5  # [0.1234567, 0.6666667]\nb: 1  # [0.5, 3.5]\nc: 7.0  # [-1234567.8, 1234567.8]\n"
    found = parse(text, "t.yaml")
    rules = specify(found, None)
    for path, rule in rules.items():
        for end in (rule.low, rule.high):
            changed = found.changed({path: rule.fitted(end)})
            low, high = found.weights[path].declared or (0, 0)
            assert low <= float(changed.values[path]) <= high
            assert specify(parse(changed.text, "t.yaml"), None)
    assert (rules["b"].low, rules["b"].high) == (1, 3)
