import re
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from living_processes import lives

from runner.triggers import evaluation
from runner.triggers.conditions import BUILT_INS, BuiltIn
from runner.triggers.context import ConditionContext, ConditionVerdict
from runner.triggers.evaluation import Evaluator, TriggerEvaluation, evaluate
from schemas.automation import TriggerCondition, TriggerType
from schemas.base import Frozen

Make = Callable[..., ConditionContext]

OWN = """
import os, subprocess, sys, time
from runner.triggers.context import ConditionVerdict

def counts(context):
    print("words on standard output")
    seen = int(context.cursor or "0") + context.view.games_counted()
    last = context.view.last_measured_success().best_win_rate
    return ConditionVerdict(seen > context.parameters["limit"], f"{seen} games, {last}, {context.now:%H:%M}", str(seen))

def plainly(context):
    return True

def raises(context):
    raise RuntimeError("no luck")

def returns_text(context):
    return "yes"

def exits(context):
    print("out of memory, says the library", file=sys.stderr)
    os._exit(7)

def leaves(context):
    sys.exit("I leave")

def returns_no_json(context):
    return ConditionVerdict(float("nan"), "x" * 2_000_000, "half \\ud800")

async def is_asynchronous(context):
    return True

def hangs(context):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with open("pids", "w") as handle:
        handle.write(f"{os.getpid()} {child.pid}")
    time.sleep(600)

def leaves_a_child(context):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with open("pids", "w") as handle:
        handle.write(str(child.pid))
    return False
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own_conditions.py"
    path.write_text(OWN)
    return path


def a_trigger(function: str, limit_s: float = 30, name: str = "a_trigger") -> TriggerCondition:
    return TriggerCondition(
        name=name, trigger_type=TriggerType.DATA_DRIVEN, condition_function=function, time_limit_s=limit_s
    )


def wait_for(holds: Callable[[], bool], what: str, limit_s: float = 30) -> None:
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.01)


@pytest.mark.usefixtures("own")
def test_a_condition_of_ones_own_sees_what_it_needs(context_with: Make, view: Any, run: Any) -> None:
    given = view(games=40, measured=run(3, best_win_rate=0.61), ended=[run(3)])
    looked = evaluate(a_trigger("own_conditions:counts"), context_with(given, limit=50))
    assert looked.verdict == ConditionVerdict(False, "40 games, 0.61, 12:00", "40")
    again = evaluate(a_trigger("own_conditions:counts"), context_with(given, "40", limit=50))
    assert again.verdict == ConditionVerdict(True, "80 games, 0.61, 12:00", "80")


@pytest.mark.usefixtures("own")
def test_a_bare_bool_will_do(context_with: Make) -> None:
    looked = evaluate(a_trigger("own_conditions:plainly"), context_with(cursor="kept"))
    assert looked.verdict == ConditionVerdict(True, "own_conditions:plainly answered True", "kept")


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("raises", "RuntimeError: no luck (.*own_conditions.py:"),
        ("returns_text", "returned str, not a ConditionVerdict"),
        ("exits", "ended with code 7 and no answer: out of memory, says the library"),
        ("nothing", "has no attribute 'nothing'"),
        ("leaves", "SystemExit: I leave (.*own_conditions.py:"),
        ("returns_no_json", "validation error"),
        ("is_asynchronous", "returned coroutine, not a ConditionVerdict"),
    ],
)
def test_whatever_it_does_costs_an_error_only(context_with: Make, function: str, says: str) -> None:
    looked = evaluate(a_trigger(f"own_conditions:{function}"), context_with())
    assert looked.verdict is None
    assert f"own_conditions:{function}" in looked.error
    assert re.search(says.replace("(.", r"\(."), looked.error), looked.error


@pytest.mark.usefixtures("own")
def test_one_that_hangs_is_ended_with_all_it_has_started(context_with: Make, tmp_path: Path) -> None:
    looked = evaluate(a_trigger("own_conditions:hangs", limit_s=3), context_with())
    assert looked.verdict is None
    assert "longer than its time limit of 3 s" in looked.error
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    wait_for(lambda: all(not lives(pid) for pid in pids), f"one of {pids} lives on")


@pytest.mark.usefixtures("own")
def test_what_it_leaves_behind_is_ended_too(context_with: Make, tmp_path: Path) -> None:
    assert evaluate(a_trigger("own_conditions:leaves_a_child"), context_with()).verdict is not None
    pid = int((tmp_path / "pids").read_text())
    wait_for(lambda: not lives(pid), f"{pid} lives on")


class _NoParameters(Frozen):
    pass


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """A built-in condition that waits for this event."""
    opened = threading.Event()

    def waits(context: ConditionContext) -> ConditionVerdict:
        assert opened.wait(60)
        return ConditionVerdict(True, "at last", context.cursor)

    monkeypatch.setitem(BUILT_INS, "waits", BuiltIn(waits, _NoParameters))
    return opened


class HandClock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def collected(evaluator: Evaluator) -> list[TriggerEvaluation]:
    found: list[TriggerEvaluation] = []

    def some() -> bool:
        found.extend(evaluator.collect())
        return bool(found)

    wait_for(some, "nothing to collect")
    return found


def test_the_loop_never_waits(context_with: Make, gate: threading.Event) -> None:
    woken = threading.Event()
    evaluator = Evaluator(woken.set, HandClock())
    assert evaluator.start(a_trigger("waits"), context_with())
    assert not evaluator.start(a_trigger("waits"), context_with()), "one look at a time"
    assert evaluator.collect() == []
    gate.set()
    assert woken.wait(90)
    (looked,) = collected(evaluator)
    assert looked.verdict == ConditionVerdict(True, "at last", "")
    assert evaluator.start(a_trigger("waits"), context_with())
    evaluator.close()


def test_a_built_in_that_is_late_is_told_of_once_and_not_started_again(
    context_with: Make, gate: threading.Event
) -> None:
    clock = HandClock()
    evaluator = Evaluator(lambda: None, clock)
    evaluator.start(a_trigger("waits", limit_s=10), context_with())
    clock.now_s += 10.1
    (late,) = evaluator.collect()
    assert late.verdict is None
    assert "time limit of 10 s" in late.error
    assert evaluator.collect() == []
    assert not evaluator.start(a_trigger("waits"), context_with())
    gate.set()
    wait_for(lambda: evaluator.start(a_trigger("waits"), context_with()) or bool(evaluator.collect()), "never free")
    assert all(found.verdict is not None for found in collected(evaluator)), "the late verdict itself is dropped"


def test_no_more_than_so_many_at_once(
    context_with: Make, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "MAX_AT_ONCE", 2)
    evaluator = Evaluator(lambda: None, HandClock())
    assert evaluator.start(a_trigger("waits", name="a"), context_with())
    assert evaluator.start(a_trigger("waits", name="b"), context_with())
    assert not evaluator.start(a_trigger("waits", name="c"), context_with())
    gate.set()
    evaluator.close()
    assert {found.trigger.name for found in evaluator.collect()} == {"a", "b"}


def test_a_built_in_that_raises_costs_an_error(context_with: Make, now: datetime) -> None:
    looked = evaluate(a_trigger("check_new_data_threshold"), context_with(min_games="many"))
    assert looked.verdict is None
    assert "min_games" in looked.error
