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

from pipeline.registry.model_store import ModelStore
from pipeline.registry.transactions import succession
from schemas.errors import ModelError
from schemas.model import ByHand, ModelEventKind, ModelStatus
from schemas.settings import Settings

WHY = ByHand(asked_by="a test", reason="because")


@pytest.fixture
def three(model_store, put, now):
    """Promoted one after the other."""
    cards = [put(name) for name in ("a", "b", "c")]
    for number, card in enumerate(cards):
        model_store.promote(card.id, WHY, now + timedelta(minutes=number))
    return [card.id for card in cards]


def statuses(model_store):
    return {card.name: card.status.value for card in model_store.list()}


def test_promotion_retires_the_old_champion_and_tells_why(model_store, three, now):
    a, b, c = three
    assert model_store.champion().id == c
    assert statuses(model_store) == {"a": "retired", "b": "retired", "c": "champion"}
    told = [(event.kind, event.model_id, event.previous_id) for event in model_store.events()]
    assert told == [(ModelEventKind.PROMOTED, *pair) for pair in ((a, None), (b, a), (c, b))]
    assert model_store.events(c)[0].at == now + timedelta(minutes=2)
    assert model_store.events(c)[0].evidence == {"kind": "ByHand", "asked_by": "a test", "reason": "because"}
    assert len(model_store.events(b)) == 2


def test_nobody_was_promoted_yet(model_store, put, now):
    put()
    assert model_store.champion() is None
    with pytest.raises(ModelError, match="no champion before the first"):
        model_store.roll_back(now)


def test_promoting_the_champion_again_changes_nothing(model_store, three, now):
    assert model_store.promote(three[2], WHY, now).status is ModelStatus.CHAMPION
    assert len(model_store.events()) == 3


def test_evidence_against_a_champion_that_is_gone_promotes_nobody(model_store, three, put, now):
    late = put("late")
    with pytest.raises(ModelError, match=rf"the champion is {three[2]} by now, no longer {three[0]}"):
        model_store.promote(late.id, WHY, now, instead_of=three[0])
    assert model_store.champion().id == three[2]
    assert model_store.promote(late.id, WHY, now, instead_of=three[2]).id == late.id
    assert (
        model_store.promote(late.id, WHY, now, instead_of=three[2]).id == late.id
    )  # the same step again, after a kill


def test_rolling_back_step_by_step_and_forward_again(model_store, three, put, now):
    a, b, c = three
    assert model_store.roll_back(now, WHY).id == b
    assert statuses(model_store) == {"a": "retired", "b": "champion", "c": "retired"}
    d = put("d").id
    model_store.promote(d, WHY, now)
    assert model_store.roll_back(now).id == b
    assert model_store.roll_back(now).id == a
    with pytest.raises(ModelError, match="no champion before"):
        model_store.roll_back(now)
    assert model_store.champion().id == a
    last = model_store.events()[-1]
    assert (last.kind, last.model_id, last.previous_id, last.evidence) == (ModelEventKind.ROLLED_BACK, a, b, {})
    assert c not in succession(model_store.events())


def test_rolling_back_passes_over_what_is_damaged(model_store, three, now):
    a, b, _ = three
    (model_store.folder / model_store.card(b).weights_file).write_bytes(b"torn")
    assert model_store.roll_back(now, WHY).id == a
    assert model_store.card(b).damage
    assert list(model_store.events()[-1].evidence["passed_over"]) == [b]
    assert succession(model_store.events()) == [a]


def test_when_all_before_are_damaged_the_champion_stays(model_store, three, now):
    for card in three[:2]:
        (model_store.folder / model_store.card(card).weights_file).unlink()
    with pytest.raises(ModelError, match=rf"no champion before {three[2]}.*Passed over {three[1]}.*{three[0]}: .*gone"):
        model_store.roll_back(now)
    assert model_store.champion().id == three[2]
    assert model_store.card(three[0]).damage == "it is gone"


def test_who_was_retired_by_hand_is_gone_back_to_no_more(model_store, three, now):
    model_store.retire(three[1], now, WHY)
    assert model_store.roll_back(now).id == three[0]


def test_the_champion_is_neither_retired_nor_rejected(model_store, three, now):
    for step in (lambda: model_store.retire(three[2], now), lambda: model_store.reject(three[2], WHY, now)):
        with pytest.raises(ModelError, match="the champion cannot be retired or rejected"):
            step()
    assert len(model_store.events()) == 3


def test_a_rejected_candidate(model_store, put, now):
    card = put()
    assert model_store.reject(card.id, WHY, now).status is ModelStatus.REJECTED
    assert model_store.list(status=ModelStatus.REJECTED) == [model_store.card(card.id)]
    assert model_store.champion() is None


AT_ONCE = """
import sys
from datetime import UTC, datetime
import numpy as np
from pipeline.registry.model_store import ModelStore
from schemas.errors import ModelError
from schemas.model import ByHand, ModelDraft
from schemas.settings import Settings
number, draft = int(sys.argv[2]), ModelDraft.model_validate_json(sys.argv[3])
model_store = ModelStore(Settings.model_validate_json(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for turn in range(6):
    weights = {"layer": np.array([number, turn])}
    card = model_store.put(draft.model_copy(update={"name": f"of{number}"}), weights)
    shared = model_store.put(draft.model_copy(update={"name": "shared"}), {"layer": np.array([turn])})
    model_store.promote(card.id, ByHand(asked_by=str(number)), datetime.now(UTC))
    if turn % 2:
        model_store.roll_back(datetime.now(UTC))
"""


def test_processes_at_once_leave_one_champion_and_one_history(settings, model_store, draft):
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
    events = model_store.events()
    assert [event.kind for event in events].count(ModelEventKind.PROMOTED) == 18
    assert len(events) == 27
    before = None
    for event in events:
        assert event.previous_id == before
        before = event.model_id
    assert model_store.champion().id == before == succession(events)[-1]
    assert len(model_store.list(status=ModelStatus.CHAMPION)) == 1
    assert sorted(card.version for card in model_store.list(name="shared")) == [1, 2, 3, 4, 5, 6]
    assert len(model_store.list()) == 24


class Lives(RuleBasedStateMachine):
    """The model_store against a list of champions kept by hand."""

    models = Bundle("models")

    @initialize()
    def begin(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="champions_"))
        shutil.copyfile(type(self).empty_database, self.home / "automation_tracking.db")
        self.model_store = ModelStore(Settings(home=self.home))
        self.line: list[str] = []
        self.minute = 0

    @rule(target=models, number=st.integers(0, 4))
    def put(self, number: int) -> str:
        return self.model_store.put(type(self).draft(f"m{number}"), {"layer": np.array([number])}).id

    @rule(model=models)
    def promote(self, model: str) -> None:
        self.model_store.promote(model, WHY, self.now())
        if self.line[-1:] != [model]:
            self.line.append(model)

    @rule()
    def roll_back(self) -> None:
        if len(self.line) < 2:
            with pytest.raises(ModelError):
                self.model_store.roll_back(self.now())
            return
        assert self.model_store.roll_back(self.now()).id == self.line[-2]
        self.line.pop()

    @rule(model=models)
    def retire(self, model: str) -> None:
        if self.line[-1:] == [model]:
            with pytest.raises(ModelError):
                self.model_store.retire(model, self.now())
            return
        self.model_store.retire(model, self.now())
        kept = [champion for champion in self.line if champion != model]
        self.line = [champion for place, champion in enumerate(kept) if kept[place - 1 : place] != [champion]]

    @rule(model=models)
    def reject(self, model: str) -> None:
        if self.line[-1:] != [model]:
            self.model_store.reject(model, WHY, self.now())
            assert self.model_store.card(model).status is ModelStatus.REJECTED

    @invariant()
    def one_champion(self) -> None:
        champion = self.model_store.champion()
        assert (champion.id if champion else None) == (self.line[-1] if self.line else None)
        assert succession(self.model_store.events()) == self.line

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
