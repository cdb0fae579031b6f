"""One champion, a history that tells how it came to be, and the way back."""

import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from pipeline.registry.champions import succession
from pipeline.registry.shelf import ModelShelf
from schemas.errors import ModelError
from schemas.model import ByHand, ModelEventKind, ModelStatus
from schemas.settings import Settings

WHY = ByHand(asked_by="a test", reason="because")


@pytest.fixture
def three(shelf, put, now):
    """Promoted one after the other."""
    cards = [put(name) for name in ("a", "b", "c")]
    for number, card in enumerate(cards):
        shelf.promote(card.id, WHY, now + timedelta(minutes=number))
    return [card.id for card in cards]


def statuses(shelf):
    return {card.name: card.status.value for card in shelf.list()}


def test_promotion_retires_the_old_champion_and_tells_why(shelf, three, now):
    a, b, c = three
    assert shelf.champion().id == c
    assert statuses(shelf) == {"a": "retired", "b": "retired", "c": "champion"}
    told = [(event.kind, event.model_id, event.previous_id) for event in shelf.events()]
    assert told == [(ModelEventKind.PROMOTED, *pair) for pair in ((a, None), (b, a), (c, b))]
    assert shelf.events(c)[0].at == now + timedelta(minutes=2)
    assert shelf.events(c)[0].evidence == {"kind": "ByHand", "asked_by": "a test", "reason": "because"}
    assert len(shelf.events(b)) == 2


def test_nobody_was_promoted_yet(shelf, put, now):
    put()
    assert shelf.champion() is None
    with pytest.raises(ModelError, match="no champion before the first"):
        shelf.roll_back(now)


def test_promoting_the_champion_again_changes_nothing(shelf, three, now):
    assert shelf.promote(three[2], WHY, now).status is ModelStatus.CHAMPION
    assert len(shelf.events()) == 3


def test_evidence_against_a_champion_that_is_gone_promotes_nobody(shelf, three, put, now):
    late = put("late")
    with pytest.raises(ModelError, match=rf"the champion is {three[2]} by now, no longer {three[0]}"):
        shelf.promote(late.id, WHY, now, instead_of=three[0])
    assert shelf.champion().id == three[2]
    assert shelf.promote(late.id, WHY, now, instead_of=three[2]).id == late.id
    assert shelf.promote(late.id, WHY, now, instead_of=three[2]).id == late.id  # the same step again, after a kill


def test_rolling_back_step_by_step_and_forward_again(shelf, three, put, now):
    a, b, c = three
    assert shelf.roll_back(now, WHY).id == b
    assert statuses(shelf) == {"a": "retired", "b": "champion", "c": "retired"}
    d = put("d").id
    shelf.promote(d, WHY, now)
    assert shelf.roll_back(now).id == b
    assert shelf.roll_back(now).id == a
    with pytest.raises(ModelError, match="no champion before"):
        shelf.roll_back(now)
    assert shelf.champion().id == a
    last = shelf.events()[-1]
    assert (last.kind, last.model_id, last.previous_id, last.evidence) == (ModelEventKind.ROLLED_BACK, a, b, {})
    assert c not in succession(shelf.events())


def test_rolling_back_passes_over_what_is_damaged(shelf, three, now):
    a, b, _ = three
    (shelf.folder / shelf.card(b).weights_file).write_bytes(b"torn")
    assert shelf.roll_back(now, WHY).id == a
    assert shelf.card(b).damage
    assert list(shelf.events()[-1].evidence["passed_over"]) == [b]
    assert succession(shelf.events()) == [a]


def test_when_all_before_are_damaged_the_champion_stays(shelf, three, now):
    for card in three[:2]:
        (shelf.folder / shelf.card(card).weights_file).unlink()
    with pytest.raises(ModelError, match=rf"no champion before {three[2]}.*Passed over {three[1]}.*{three[0]}: .*gone"):
        shelf.roll_back(now)
    assert shelf.champion().id == three[2]
    assert shelf.card(three[0]).damage == "it is gone"


def test_who_was_retired_by_hand_is_gone_back_to_no_more(shelf, three, now):
    shelf.retire(three[1], now, WHY)
    assert shelf.roll_back(now).id == three[0]


def test_the_champion_is_neither_retired_nor_rejected(shelf, three, now):
    for step in (lambda: shelf.retire(three[2], now), lambda: shelf.reject(three[2], WHY, now)):
        with pytest.raises(ModelError, match="the champion cannot be retired or rejected"):
            step()
    assert len(shelf.events()) == 3


def test_a_rejected_candidate(shelf, put, now):
    card = put()
    assert shelf.reject(card.id, WHY, now).status is ModelStatus.REJECTED
    assert shelf.list(status=ModelStatus.REJECTED) == [shelf.card(card.id)]
    assert shelf.champion() is None


AT_ONCE = """
import sys
from datetime import UTC, datetime
import numpy as np
from pipeline.registry.shelf import ModelShelf
from schemas.errors import ModelError
from schemas.model import ByHand, ModelDraft
from schemas.settings import Settings
number, draft = int(sys.argv[2]), ModelDraft.model_validate_json(sys.argv[3])
shelf = ModelShelf(Settings.model_validate_json(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for turn in range(6):
    weights = {"layer": np.array([number, turn])}
    card = shelf.put(draft.model_copy(update={"name": f"of{number}"}), weights)
    shared = shelf.put(draft.model_copy(update={"name": "shared"}), {"layer": np.array([turn])})
    shelf.promote(card.id, ByHand(asked_by=str(number)), datetime.now(UTC))
    if turn % 2:
        shelf.roll_back(datetime.now(UTC))
"""


def test_processes_at_once_leave_one_champion_and_one_history(settings, shelf, draft):
    children = [
        subprocess.Popen(
            [sys.executable, "-c", AT_ONCE, settings.model_dump_json(), str(number), draft().model_dump_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.communicate("\n", timeout=120)
        assert child.returncode == 0
    events = shelf.events()
    assert [event.kind for event in events].count(ModelEventKind.PROMOTED) == 18
    assert len(events) == 27
    before = None
    for event in events:
        assert event.previous_id == before
        before = event.model_id
    assert shelf.champion().id == before == succession(events)[-1]
    assert len(shelf.list(status=ModelStatus.CHAMPION)) == 1
    assert sorted(card.version for card in shelf.list(name="shared")) == [1, 2, 3, 4, 5, 6]
    assert len(shelf.list()) == 24


class Lives(RuleBasedStateMachine):
    """The shelf against a list of champions kept by hand."""

    models = Bundle("models")

    @initialize()
    def begin(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="champions_"))
        shutil.copyfile(type(self).empty_database, self.home / "automation_tracking.db")
        self.shelf = ModelShelf(Settings(home=self.home))
        self.line: list[str] = []
        self.minute = 0

    @rule(target=models, number=st.integers(0, 4))
    def put(self, number: int) -> str:
        return self.shelf.put(type(self).draft(f"m{number}"), {"layer": np.array([number])}).id

    @rule(model=models)
    def promote(self, model: str) -> None:
        self.shelf.promote(model, WHY, self.now())
        if self.line[-1:] != [model]:
            self.line.append(model)

    @rule()
    def roll_back(self) -> None:
        if len(self.line) < 2:
            with pytest.raises(ModelError):
                self.shelf.roll_back(self.now())
            return
        assert self.shelf.roll_back(self.now()).id == self.line[-2]
        self.line.pop()

    @rule(model=models)
    def retire(self, model: str) -> None:
        if self.line[-1:] == [model]:
            with pytest.raises(ModelError):
                self.shelf.retire(model, self.now())
            return
        self.shelf.retire(model, self.now())
        kept = [champion for champion in self.line if champion != model]
        self.line = [champion for place, champion in enumerate(kept) if kept[place - 1 : place] != [champion]]

    @rule(model=models)
    def reject(self, model: str) -> None:
        if self.line[-1:] != [model]:
            self.shelf.reject(model, WHY, self.now())
            assert self.shelf.card(model).status is ModelStatus.REJECTED

    @invariant()
    def one_champion(self) -> None:
        champion = self.shelf.champion()
        assert (champion.id if champion else None) == (self.line[-1] if self.line else None)
        assert succession(self.shelf.events()) == self.line

    def now(self):
        self.minute += 1
        return type(self).start + timedelta(minutes=self.minute)

    def teardown(self) -> None:
        shutil.rmtree(self.home)


def test_any_order_of_steps(empty_database, draft, now):
    Lives.empty_database, Lives.draft, Lives.start = empty_database, staticmethod(draft), now
    case = Lives.TestCase
    case.settings = hypothesis_settings(max_examples=12, stateful_step_count=15, deadline=None)
    case("runTest").runTest()


@pytest.mark.sqlite_files
def test_evidence_is_json_that_sql_reads(settings, three):
    with closing(sqlite3.connect(settings.home / "automation_tracking.db")) as plain, plain:
        rows = plain.execute(
            "SELECT json_extract(evidence_json, '$.reason'), at FROM model_events ORDER BY at"
        ).fetchall()
        assert rows[0] == ("because", "2026-11-21T12:00:00.000000Z")
        card = json.loads(plain.execute("SELECT card_json FROM models WHERE status = 'champion'").fetchone()[0])
        assert card["name"] == "c"
    plain.close()
