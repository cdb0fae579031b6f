"""A registration or promotion that is killed at any point: nothing torn, and doing it again ends the same."""

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.registry.transactions import succession
from schemas.model import ModelEventKind, ModelStatus

pytestmark = pytest.mark.sqlite_files

VICTIM = Path(__file__).with_name("model_store_victim.py")
PROMOTED, ROLLED_BACK = ModelEventKind.PROMOTED, ModelEventKind.ROLLED_BACK


def live(settings, draft, point: str, visit: int = 1) -> int:
    command = [sys.executable, str(VICTIM), str(settings.home), point, str(visit), draft().model_dump_json()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def contradictions(model_store) -> list[str]:
    """What must never be seen: a row without its file, a champion that the history does not tell."""
    cards = {card.id: card for card in model_store.list()}
    found = [
        f"{model_id}: {damage}"
        for model_id, damage in model_store.verify(datetime(2020, 1, 1, tzinfo=UTC)).damaged.items()
    ]
    champion = [model_id for model_id, card in cards.items() if card.status is ModelStatus.CHAMPION]
    events = model_store.events()
    if champion != succession(events)[-1:]:
        found.append(f"champions {champion}, history {[(event.kind, event.model_id) for event in events]}")
    return found


@pytest.mark.parametrize(
    ("point", "visit"),
    [
        ("before rename", 2),
        ("file written", 1),
        ("row written", 2),
        ("committed", 3),
        ("old champion retired", 2),
        ("new champion written", 3),
        ("event written", 2),
    ],
)
def test_killed_and_done_again(settings, model_store, draft, point, visit):
    assert live(settings, draft, point, visit) == -signal.SIGKILL
    assert contradictions(model_store) == []
    assert live(settings, draft, "never") == 0
    assert contradictions(model_store) == []
    assert [(event.kind, event.model_id.split("-")[0]) for event in model_store.events()] == [
        (PROMOTED, "old"),
        (PROMOTED, "new"),
        (ROLLED_BACK, "old"),
    ]
    assert model_store.champion().name == "old"
    model_store.verify(datetime.now(UTC) + timedelta(hours=2))
    assert sorted(entry.name for entry in model_store.folder.iterdir()) == sorted(
        card.weights_file for card in model_store.list()
    )
    assert len(model_store.list()) == 2
