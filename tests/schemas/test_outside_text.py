"""Whatever comes in can be stored, printed and mailed: nothing hidden, nothing endless, nothing doubled."""

import contextlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import outside_text
from schemas.execution import FailureClass, RunFailure
from schemas.model import PipelineState

ANY_TEXT = st.text(st.characters(exclude_categories=())) | st.text(
    st.sampled_from(["\ud800", "\udcff", "\x00", "\x1b", "\u202e", "\r", "\n", "\t", "\u2028", "\x9b", "é", "😀", "a"])
)
HARMFUL = set("\x00\x1b\r\x9b\x7f\u202e\u2066\u2028\ud800\udcff")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner),
)


@given(ANY_TEXT | st.binary(), st.integers(1, 200), st.sampled_from(["", "runs/7/worker.log"]))
def test_what_passes_the_door_is_storable_harmless_and_short(text: str | bytes, limit: int, whole_in: str) -> None:
    line = outside_text.line(text, limit, whole_in)
    passage = outside_text.passage(text, limit, whole_in)
    for safe in (line, passage):
        assert len(safe) <= limit
        assert safe.encode().decode() == safe
        assert not set(safe) & HARMFUL
        assert outside_text.passage(safe, limit, whole_in) == safe, "passing twice changes nothing"
    assert "\n" not in line and "\t" not in line


@given(st.binary(min_size=1))
def test_no_byte_is_swallowed(data: bytes) -> None:
    """What is no text is shown, so two different names never look the same for want of a character."""
    safe = outside_text.line(data, 0)
    assert len(safe) >= len(data.decode("utf-8", "surrogateescape"))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain ünïcode 😀 👩‍👩‍👧 日本", "plain ünïcode 😀 👩‍👩‍👧 日本"),
        (b"bad\xff.json", r"bad\xff.json"),
        ("\ud800 \udcff", r"\ud800 \xff"),
        ("\x1b[31mred\x1b[0m\x07", r"\x1b[31mred\x1b[0m\x07"),
        ("a\r\nb\tc\x00", r"a\x0d\nb\tc\x00"),
        ("abc\u202egnp.exe", r"abc\u202egnp.exe"),
        ("\x9b31m\u2028\ufeff\u200b\U000e0041", r"\x9b31m\u2028\ufeff\u200b\U000e0041"),
    ],
)
def test_as_it_looks(text: str | bytes, line: str) -> None:
    assert outside_text.line(text, 0) == line


def test_a_long_text_says_how_much_is_left_out_and_where_the_whole_is() -> None:
    told = outside_text.passage("begin " + "x" * 100_000 + " end", 4_000, "runs/7/worker.log")
    assert 3_900 < len(told) <= 4_000
    assert told.startswith("begin xxx")
    assert told.endswith("xxx end")
    left_out = 100_010 - (len(told) - len(told[told.index(" [...") : told.index("...] ") + 5]))
    assert f"[... {left_out:,} characters left out; the whole is in runs/7/worker.log ...]" in told


def test_an_exception_whose_text_cannot_be_read_is_named_all_the_same() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert outside_text.error_line(Broken()) == "Broken: (its text cannot be read: RuntimeError)"
    assert outside_text.error_line(ValueError()) == "ValueError"
    assert outside_text.error_line(ValueError("a\nb\udcff")) == r"ValueError: a\nb\xff"


@given(st.binary(min_size=1, max_size=255).filter(lambda name: b"/" not in name and b"\0" not in name))
def test_a_file_name_made_safe_can_be_a_file_name(name: bytes) -> None:
    safe = outside_text.file_name(os.fsdecode(name), 100)
    assert 0 < len(safe.encode()) <= 100
    assert not set(safe) & HARMFUL
    assert Path("x-" + safe).name == "x-" + safe


@given(JSON)
def test_json_is_read_as_it_was_written_but_for_what_is_harmful(tree: object) -> None:
    with contextlib.suppress(ValueError):  # two names may become one, or a number be too long
        read = outside_text.read_json(json.dumps(tree))
        json.dumps(read, ensure_ascii=False).encode()
        assert outside_text.read_json(json.dumps(read)) == read


@given(st.binary())
def test_any_bytes_are_json_or_refused_in_one_line_of_words(data: bytes) -> None:
    try:
        outside_text.read_json(data)
    except ValueError as error:
        assert str(error).encode()


@given(ANY_TEXT)
def test_a_result_can_be_written_whatever_a_job_said(text: str) -> None:
    failure = RunFailure(failure_class=FailureClass.ERROR, message=text, traceback=text)
    state = PipelineState(operation_details=text, current_phase=text)
    past_the_door = state.model_copy(update={"operation_details": text})
    for model in (failure, state, past_the_door):
        written = outside_text.to_json(model)
        read = type(model).model_validate_json(written.encode())
        assert outside_text.made_safe(read) == read
