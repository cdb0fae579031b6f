"""A New York schedule through both changes of the clocks: the rows are the golden fire times, each once."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from daemon_world import World, schedule

from runner.flow.command_arguments import PauseArguments, Verb
from runner.store import commands, occurrences

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "fire_times" / "new_york.json").read_text())
LINES = ["30 1 * * *", "30 2 * * *", "0 * * * *", "*/30 * * * *", "0 */2 * * *"]


def golden_fires(line: str, after: datetime, until: datetime) -> list[datetime]:
    fires = []
    for run in GOLDEN["lines"][line]:
        first, _, step, _, count = run.split()
        start, every = datetime.fromisoformat(first), timedelta(seconds=int(step.removesuffix("s")))
        fires += [start + number * every for number in range(int(count))]
    return [fire for fire in fires if after < fire <= until]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-03-07T12:00:00+00:00", "2026-03-09T12:00:00+00:00"),
        ("2026-10-31T12:00:00+00:00", "2026-11-02T12:00:00+00:00"),
    ],
    ids=["spring", "autumn"],
)
def test_every_golden_fire_has_one_row_on_its_second(tmp_path, start, end):
    begin, finish = datetime.fromisoformat(start), datetime.fromisoformat(end)
    with World(tmp_path / "home", begin) as world:
        names = {f"line{number}": line for number, line in enumerate(LINES)}
        world.save(*(schedule(name, line, timezone="America/New_York") for name, line in names.items()))
        world.start()
        with world.store.write() as session:  # nothing is to run: the rows are what counts
            commands.enqueue(session, Verb.PAUSE.value, PauseArguments(), "a test", world.clock.now())
        while world.clock.now() < finish:
            world.turn()
            world.clock.advance(timedelta(minutes=15))
        world.turn()
        for name, line in names.items():
            with world.store.read() as session:
                recorded = occurrences.recent(session, name, 1000)
            fires = [record.scheduled_for for record in recorded][::-1]
            assert fires == golden_fires(line, begin, world.clock.now()), line
            created = {record.scheduled_for: record.created_at for record in recorded}
            assert all(found == due for due, found in created.items()), "found later than at its quarter of an hour"
