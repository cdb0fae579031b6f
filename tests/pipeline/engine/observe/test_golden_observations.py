"""The encoder writes the golden bytes, and its id moves with the table's meaning."""

import gzip
import json
from pathlib import Path

import numpy as np

from pipeline.engine import planes
from pipeline.engine.game import Game
from pipeline.engine.observe import Observer, allocate_observations

GOLDEN = Path(__file__).parents[3] / "golden" / "observations" / "positions.jsonl.gz"


def test_golden_positions_are_encoded_byte_for_byte():
    head, *lines = (json.loads(line) for line in gzip.decompress(GOLDEN.read_bytes()).splitlines())
    assert head["encoder_id"] == planes.ENCODER_ID, "the encoder's meaning changed: write the golden file anew"
    assert len(lines) > 300 and {line["ruleset"] for line in lines} >= {"standard", "royale", "wrapped", "constrictor"}
    for line in lines:
        game = Game.from_state(line["state"], line["ruleset"], line["settings"], line["solo"], map_id=line["map"])
        seats = np.array([row["snake"] for row in line["rows"]], np.int64)
        out = allocate_observations(len(seats))
        out.symmetries[:] = line["symmetry"]
        Observer(game.records).observe(np.zeros_like(seats), seats, out)
        for i, row in enumerate(line["rows"]):
            assert out.symmetries[i] == row["symmetry"]
            for part in ("planes", "features", "context"):
                assert getattr(out, part)[i].tobytes().hex() == row[part], (part, line["ruleset"], line["state"])


def test_the_encoder_id_changes_with_the_table(monkeypatch):
    before = planes._encoder_id()
    assert before == planes.ENCODER_ID
    first = planes.PLANES[0]
    monkeypatch.setattr(planes, "PLANES", (first._replace(about=first.about + "!"), *planes.PLANES[1:]))
    assert planes._encoder_id() != before
    monkeypatch.setattr(planes, "PLANES", (first._replace(scale=0.5), *planes.PLANES[1:]))
    assert planes._encoder_id() != before


def test_the_table_is_complete():
    assert (len(planes.PLANES), len(planes.FEATURES), len(planes.CONTEXT)) == (12, 32, 16)
    names = [slot.name for slot in (*planes.PLANES, *planes.FEATURES)]
    assert len(set(names)) == len(names)
    text = planes.table()
    assert planes.ENCODER_ID in text and all(f"| {slot.name} |" in text for slot in planes.CONTEXT)
