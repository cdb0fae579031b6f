"""Weights in a YAML file: found, and changed without touching anything else."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.tuner import weights
from schemas.errors import SnakeError

TEXT = """\
# the head
a: &anchor 3  # [1, 10] whole, kept
'quoted key': -.5
b: *anchor
list: [1, 2.50, true, word]   # mixed
deep:
    er: {est: 1.0e+3, no: null}
    on: True\r
    day: 2026-11-21

tail: 0.1   # [0, nope] bounds that are none
"""
BUNDLED = Path(__file__).parents[3] / "deploy" / "go-snake" / "config.yaml"


def test_every_number_and_switch_is_found_once() -> None:
    found = weights.parse(TEXT, "t.yaml")
    assert found.values == {
        "a": 3,
        "quoted key": -0.5,
        "list.0": 1,
        "list.1": 2.5,
        "list.2": True,
        "deep.er.est": 1000.0,
        "deep.on": True,
        "tail": 0.1,
    }
    assert found.weights["a"].declared == (1, 10)
    assert found.weights["tail"].declared is None
    assert [found.weights[path].line for path in ("a", "deep.on", "tail")] == [2, 8, 11]


def test_a_number_that_readers_take_for_two_is_no_weight() -> None:
    """Octal to the Go snake, decimal to YAML 1.2: it was tuned from a value that the snake did not have."""
    text = "a: 017\nb: 07\nc: 0o17\nd: -012\ne: 08\nf: 019\ng: +0_17\nh: [010, 10]\ni: 00\n"
    assert weights.parse(text, "c").values == {"b": 7, "c": 15, "e": 8, "f": 19, "h.1": 10, "i": 0}


def test_keys_that_are_read_as_something_else_than_their_text_are_called_as_they_are_written() -> None:
    text = "0x10: 1\ntrue: {1.50: 2, 1.5e1: {007: 3}}\nbase: &b {x: 4}\nmore: {<<: *b, y: 5}\n"
    found = weights.parse(text, "t.yaml")
    assert found.values == {"0x10": 1, "true.1.50": 2, "true.1.5e1.007": 3, "base.x": 4, "more.y": 5}
    changed = found.changed({"0x10": 9, "true.1.50": 8})
    assert changed.text == text.replace("0x10: 1", "0x10: 9").replace("1.50: 2", "1.50: 8")


def test_a_change_touches_nothing_else() -> None:
    changed = weights.parse(TEXT, "t.yaml").changed({"a": 4, "list.1": 3.0, "deep.on": False, "quoted key": -0.25})
    expected = (
        TEXT.replace("&anchor 3 ", "&anchor 4 ").replace("2.50", "3.0").replace("True", "false").replace("-.5", "-0.25")
    )
    assert changed.text == expected
    assert changed.values["deep.on"] is False


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["a", "list.1", "deep.er.est", "deep.on", "tail"]),
        st.one_of(
            st.integers(-(10**6), 10**6), st.booleans(), st.floats(-1e9, 1e9, allow_nan=False, allow_infinity=False)
        ),
    )
)
def test_what_is_written_is_read_back(values: dict[str, bool | int | float]) -> None:
    found = weights.parse(TEXT, "t.yaml")
    fitting = {path: value for path, value in values.items() if type(value) is type(found.values[path])}
    changed = found.changed(fitting)
    assert changed.weights.keys() == found.weights.keys()
    for path, value in found.values.items():
        wanted = fitting.get(path, value)
        assert type(changed.values[path]) is type(value)
        assert changed.values[path] == pytest.approx(wanted, rel=1e-5, abs=1e-11)
    assert changed.changed({path: found.values[path] for path in fitting}).values == found.values


def test_the_bundled_snake_has_its_weights_with_bounds() -> None:
    found = weights.read(BUNDLED)
    assert len(found.weights) >= 40
    numbers = [weight for weight in found.weights.values() if not isinstance(weight.value, bool)]
    assert all(weight.declared for weight in numbers)
    assert all(weight.declared[0] <= weight.value <= weight.declared[1] for weight in numbers if weight.declared)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: [1, 2\n", r"t\.yaml:\d.*\bmalformed YAML|malformed YAML.*t\.yaml:\d"),
        ("a: 1\na: 2\n", r"malformed YAML.*t\.yaml:2"),
        ("\tx: 1", "malformed YAML"),
        ("- 1\n- 2\n", "no keys and values"),
        ("", "no keys and values"),
        ("name: viper\n", "no number"),
        ("a: .nan\n", r"a is not finite.*t\.yaml:1"),
        ("a: .inf\n", "not finite"),
        (f"a: {'[' * 2000}1{']' * 2000}\n", "nested too deep"),
    ],
)
def test_a_bad_file_is_named_with_its_line(text: str, words: str) -> None:
    with pytest.raises(SnakeError, match=words):
        weights.parse(text, "t.yaml")


def test_a_missing_or_foreign_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SnakeError, match=r"no weights file.*nothing\.yaml.*--config-file"):
        weights.read(tmp_path / "nothing.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9\n")
    with pytest.raises(SnakeError, match="not UTF-8"):
        weights.read(tmp_path / "latin.yaml")
    with pytest.raises(SnakeError, match="cannot be read"):
        weights.read(tmp_path)


def test_a_value_of_another_kind_is_refused() -> None:
    found = weights.parse(TEXT, "t.yaml")
    for values in ({"a": 4.0}, {"deep.on": 1}, {"tail": 2}, {"tail": float("inf")}):
        with pytest.raises(SnakeError, match="cannot become"):
            found.changed(values)
    with pytest.raises(SnakeError, match="no weight 'nope'"):
        found.changed({"nope": 1})


def test_words_and_numbers_that_declare_what_else_they_may_be() -> None:
    text = (
        "mode: aggressive  # {aggressive, careful}; how it plays\n"
        "quoted: 'slow'    # {slow, true}\n"
        "size: 4  # {1, 2, 4}\n"
        "name: viper  # {adder, cobra}: the present word is none of them\n"
        "rate: 1.5  # {see below}\n"
    )
    found = weights.parse(text, "t.yaml")
    assert {path: weight.choices for path, weight in found.weights.items()} == {
        "mode": ("aggressive", "careful"),
        "quoted": ("slow", "true"),
        "size": (1, 2, 4),
        "rate": (),
    }
    changed = found.changed({"mode": "careful", "quoted": "true", "size": 2})
    assert changed.text == text.replace("mode: aggressive", "mode: careful").replace("'slow'", "'true'").replace(
        "size: 4", "size: 2"
    )
    assert weights.parse(changed.text, "again").values == changed.values
    with pytest.raises(SnakeError, match="of kind str and cannot become 3"):
        found.changed({"mode": 3})


def test_a_word_that_yaml_would_read_as_something_else_is_quoted() -> None:
    found = weights.parse("mode: fast # {fast, 1, null}\n", "t.yaml")
    assert found.changed({"mode": "1"}).text == 'mode: "1" # {fast, 1, null}\n'
    assert found.changed({"mode": "null"}).values == {"mode": "null"}


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("a:\t1.5\t# [0,\t3]\nb: 2\t\n", {"a": 2.5, "b": 3}, "a:\t2.5\t# [0,\t3]\nb: 3\t\n"),
        ('a: &x "calm"  # {calm, bold}\nb: 1\n', {"a": "bold"}, 'a: &x "bold"  # {calm, bold}\nb: 1\n'),
        ('a: &x "c\\x61lm"  # {calm, bold}\nb: 1\n', {"a": "bold"}, 'a: &x "bold"  # {calm, bold}\nb: 1\n'),
        ("a: &1 1\nb: !!float &y 3\n", {"a": 2, "b": 3.5}, "a: &1 2\nb: !!float &y 3.5\n"),
        ("\ufeffa: 1\r\nb: 2.5\r\n", {"a": 2}, "\ufeffa: 2\r\nb: 2.5\r\n"),
    ],
)
def test_tabs_anchors_and_tags_stay_where_they_are(text: str, values: dict[str, int | float], expected: str) -> None:
    changed = weights.parse(text, "t.yaml").changed(values)
    assert changed.text == expected
    assert weights.parse(expected, "t.yaml").values == changed.values


def test_a_number_of_hundreds_of_digits_is_left_alone() -> None:
    assert weights.parse(f"mask: {'9' * 400}\nfar: 1e300\na: 1\n", "t.yaml").values == {"a": 1}


def test_a_value_for_some_games_is_brought_to_its_weights_kind_or_refused() -> None:
    found = weights.parse("budget: 400\nrate: 0.5\non: true\n", "t.yaml")
    assert weights.overridden(found, {"budget": 40.0, "rate": 2, "gone": 1}).values == {
        "budget": 40, "rate": 2.0, "on": True,
    }  # fmt: skip
    for wrong in ({"budget": "fast"}, {"budget": 1.5}, {"on": "false"}, {"rate": float("inf")}):
        with pytest.raises(SnakeError, match="cannot become"):
            weights.overridden(found, wrong)


def test_what_is_no_file_or_too_large_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(SnakeError, match="it is no file"):
        weights.read(tmp_path / "pipe.yaml")
    (tmp_path / "large.yaml").write_bytes(b"# " + b"x" * weights.MOST_BYTES)
    with pytest.raises(SnakeError, match="larger than 4 MiB"):
        weights.read(tmp_path / "large.yaml")
