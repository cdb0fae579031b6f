"""Models in and out: whole, checked, found again; and what is refused."""

import errno
import json
import os
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.registry import weight_files
from pipeline.registry.model_store import ModelStore
from schemas.errors import DatabaseBusyError, MachineError, ModelError, StateError
from schemas.model import EvaluationResult, Measured, ModelStatus
from schemas.service import StorageSettings
from schemas.settings import Settings


def test_a_model_comes_back_as_it_was_put(model_store, draft, now):
    weights = {
        "conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(2, 0, 1),
        "norm.seen": np.array(7),
        "half": np.ones((2, 0), np.float16),
    }
    told = draft("advanced v2.1", seed=2**62, games_learned=10, notes="é", claimed={"win_rate": 0.73})
    card = model_store.put(told, weights)
    found, back = model_store.get(card.id)
    assert found == card
    assert card.model_dump(include=set(type(told).model_fields)) == told.model_dump()
    assert (card.version, card.status, card.damage) == (1, ModelStatus.CANDIDATE, None)
    assert (card.parameters, card.size_bytes) == (25, (model_store.folder / card.weights_file).stat().st_size)
    assert {name: (array.dtype, array.shape) for name, array in back.items()} == {
        name: (array.dtype, array.shape) for name, array in weights.items()
    }
    assert all(np.array_equal(back[name], weights[name]) for name in weights)
    back["conv.weight"][0] = 1  # the caller's own
    assert card.win_rate is None


_ARRAYS = st.dictionaries(
    st.text(min_size=1, max_size=8).filter(lambda name: name != "__metadata__"),
    arrays.arrays(
        st.sampled_from([np.float32, np.float16, np.int64, np.uint8, np.bool_]),
        arrays.array_shapes(min_dims=0, max_dims=3, max_side=4),
    ).filter(lambda array: bool(np.isfinite(array).all())),
    min_size=1,
    max_size=4,
)


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(_ARRAYS)
def test_any_weights_come_back_from_their_file_and_make_the_same_file_again(tmp_path, draft, weights):
    content = weight_files.content_of(draft(), weights)
    assert weight_files.content_of(draft(created_at="2030-01-01T00:00:00Z"), dict(reversed(weights.items()))) == content
    path = tmp_path / "any.safetensors"
    path.write_bytes(content)
    back = weight_files.load(path, weight_files.sha256_of(content), len(content))
    assert isinstance(back, dict)
    assert {name: array.tobytes() for name, array in back.items()} == {n: a.tobytes() for n, a in weights.items()}


def test_the_file_tells_by_itself_what_it_is(model_store, put):
    card = put()
    with safetensors.safe_open(model_store.folder / card.weights_file, "np") as file:
        about = json.loads(file.metadata()["ouroboros"])
    assert about["encoder_id"] == card.encoder_id
    assert about["network"]["conv_channels"] == 8


@pytest.mark.parametrize("name", ["../../etc/passwd", "a b/c", "...", "Ünï", "x" * 100, "champion"])
def test_ids_are_safe_as_file_names(model_store, put, name):
    card = put(name)
    assert (model_store.folder / card.weights_file).resolve().parent == model_store.folder.resolve()
    assert not card.weights_file.startswith(".")
    assert model_store.card(card.id).name == name


def test_the_same_weights_again_are_the_same_model(model_store, put, now):
    card = put(seed=1)
    assert put(seed=2, created_at=now + timedelta(days=1)) == card
    assert len(model_store.list()) == 1
    assert put(number=1.0).version == 2
    assert put("other").version == 1


def test_what_cannot_be_registered_leaves_nothing(model_store, draft):
    for weights in ({}, {"a": np.array([1.0, np.nan])}, {"a": np.array([np.inf], np.float32)}):
        with pytest.raises(ModelError):
            model_store.put(draft(), weights)
    with pytest.raises(ModelError, match="no such model"):
        model_store.put(draft(parent_id="nobody"), {"a": np.ones(1)})
    assert model_store.list() == []
    assert not model_store.folder.exists()


def test_a_folder_that_takes_no_file_is_told(model_store, draft):
    model_store.folder.write_text("no folder")
    with pytest.raises(MachineError, match="cannot write the weights"):
        model_store.put(draft(), {"a": np.ones(1)})
    assert model_store.list() == []


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (flip, "bytes are not those that were registered"),
        (lambda path: path.write_bytes(path.read_bytes()[:-10]), "bytes are not those that were registered"),
        (lambda path: path.write_bytes(b""), "its 0 bytes are not"),
        (Path.unlink, "it is gone"),
    ],
)
def test_a_damaged_file_is_refused_and_marked(model_store, put, now, harm, told):
    card = put()
    path = model_store.folder / card.weights_file
    whole = path.read_bytes()
    harm(path)
    with pytest.raises(ModelError, match=told) as caught:
        model_store.get(card.id)
    assert caught.value.where == str(path)
    assert "ouroboros models rollback" in caught.value.remedy
    assert told in model_store.card(card.id).damage
    with pytest.raises(ModelError, match=told):
        model_store.promote(card.id, Measured(value=1, games=0, how="test"), now)
    path.write_bytes(whole)
    assert model_store.get(card.id)[0] == model_store.card(card.id) == card


NO_MODELS = {
    "a pipe": (os.mkfifo, "it is no file"),
    "a device without end": (lambda path: path.symlink_to("/dev/zero"), "it is no file"),
    "a folder": (Path.mkdir, "it is no file"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "it cannot be read"),
    "four terabytes": (lambda path: (path.touch(), os.truncate(path, 2**42)), f"its {2**42} bytes are not"),
}


@pytest.mark.timeout(120)
def test_what_can_be_no_model_is_not_read_to_its_end(model_store, put, now):
    told = {}
    for number, (make, words) in enumerate(NO_MODELS.values()):
        card = put(number=float(number))
        path = model_store.folder / card.weights_file
        path.unlink()
        make(path)
        told[card.id] = words
    damaged = model_store.verify(now).damaged
    assert damaged.keys() == told.keys()
    assert all(words in damaged[model_id] for model_id, words in told.items())


def test_a_file_that_cannot_be_read_just_now_is_not_called_damaged(model_store, put, monkeypatch):
    """A champion was retired for good by one moment without a free descriptor."""
    card = put()

    def refuse(path):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        with pytest.raises(MachineError, match="cannot be read just now"):
            model_store.get(card.id)
    assert model_store.get(card.id)[0].damage is None


def test_what_lies_beside_the_models_stops_no_registration(model_store, put, now):
    """A link to nowhere ended every `put` after its row was written; a folder, too."""
    put("one")
    (model_store.folder / "old.safetensors").symlink_to("nowhere")
    (model_store.folder / "kept.safetensors").mkdir()
    os.utime(model_store.folder / "kept.safetensors", (0, 0))
    put("two", number=1.0)
    assert list(model_store.verify(now).orphans_removed) == []


def test_putting_a_model_again_repairs_its_file(model_store, put):
    card = put()
    (model_store.folder / card.weights_file).unlink()
    with pytest.raises(ModelError, match="it is gone"):
        model_store.get(card.id)
    assert put() == card == model_store.get(card.id)[0]


def test_a_model_of_another_encoder_is_refused(model_store, put, now):
    card = put(encoder_id="ouroboros-0-deadbeef")
    with pytest.raises(ModelError, match="encoder ouroboros-0-deadbeef; this version's is ouroboros-1-"):
        model_store.get(card.id)
    with pytest.raises(ModelError, match="deadbeef"):
        model_store.promote(card.id, Measured(value=1, games=0, how="test"), now)
    assert model_store.card(card.id).damage is None


def test_an_unknown_model_is_told(model_store):
    for ask in (model_store.get, model_store.card, model_store.lineage):
        with pytest.raises(ModelError, match=r"no such model \(nobody\)"):
            ask("nobody")


def test_listing_by_what_is_given(model_store, put, now):
    first = put("a", created_at=now - timedelta(days=2))
    second = put("a", 1.0, training_phase="hybrid", parent_id=first.id, created_at=now - timedelta(days=1))
    third = put("b", 2.0, architecture="CNN_Attention_Residual", parent_id=second.id)
    assert model_store.list() == [first, second, third]
    assert model_store.list(name="a") == [first, second]
    assert model_store.list(training_phase="hybrid", name="a") == [second]
    assert model_store.list(architecture="CNN_Simple", status=ModelStatus.RETIRED) == []
    assert model_store.lineage(third.id) == [third, second, first]


@pytest.mark.sqlite_files
def test_a_row_that_cannot_be_read_hides_no_other(model_store, settings, put, now, caplog):
    bad, good = put("bad"), put("good")
    with closing(sqlite3.connect(settings.home / "automation_tracking.db")) as plain, plain:
        plain.execute("UPDATE models SET card_json = '{}' WHERE id = ?", (bad.id,))
    plain.close()
    assert model_store.list() == [good]
    assert bad.id in caplog.text
    found = model_store.verify(now)
    assert list(found.sound) == [good.id]
    assert "cannot be read" in found.damaged[bad.id]


def test_verify_marks_unmarks_and_removes_old_orphans(model_store, put, now):
    sound, gone = put("sound"), put("gone")
    path = model_store.folder / gone.weights_file
    kept = path.read_bytes()
    path.unlink()
    for name, age_h in (("old.safetensors", 2), (".old.safetensors.1f.tmp", 2), ("new.safetensors", 0.5)):
        (model_store.folder / name).write_bytes(b"half")
        instant_s = (now - timedelta(hours=age_h)).timestamp()
        os.utime(model_store.folder / name, (instant_s, instant_s))
    (model_store.folder / "notes.txt").touch()
    os.utime(model_store.folder / "notes.txt", (0, 0))
    found = model_store.verify(now)
    assert (list(found.sound), dict(found.damaged)) == ([sound.id], {gone.id: "it is gone"})
    assert list(found.orphans_removed) == [".old.safetensors.1f.tmp", "old.safetensors"]
    assert sorted(entry.name for entry in model_store.folder.iterdir()) == sorted(
        ["new.safetensors", "notes.txt", sound.weights_file]
    )
    assert model_store.card(gone.id).damage == "it is gone"
    path.write_bytes(kept)
    assert model_store.verify(now).damaged == {}
    assert model_store.card(gone.id).damage is None


def evaluation(model_id: str, **more: object) -> EvaluationResult:
    known: dict[str, object] = {
        "model_id": model_id, "model_name": "first", "evaluated_at": "2026-11-21T12:00:00Z",
        "opponent": "heuristic:strong", "snakes": 2, "games": 200, "wins": 110, "draws": 4, "losses": 86,
        "win_rate": 0.56, "low": 0.49, "high": 0.63, "seed": 9, "conditions": "11x11 standard",
        "how": "each seed from both seats", "strategic_score": 61.5, "metrics": {"inference_time_ms": 2.5},
    }  # fmt: skip
    return EvaluationResult.model_validate(known | more)


def test_evaluations_are_kept_once_and_measure_the_card(model_store, put):
    card = put(claimed={"win_rate": 0.99})
    first, four = evaluation(card.id), evaluation(card.id, snakes=4, opponent="heuristic:strong", win_rate=0.4)
    assert [model_store.add_evaluation(result) for result in (first, first, four)] == [True, False, True]
    assert model_store.add_evaluation(evaluation("heuristic:greedy"))
    measured = model_store.card(card.id).measured
    assert model_store.card(card.id).win_rate == measured["win_rate"]
    assert (measured["win_rate"].value, measured["win_rate"].games, measured["win_rate"].seed) == (0.56, 200, 9)
    assert (measured["win_rate"].low, measured["win_rate"].high) == (0.49, 0.63)
    assert measured["win_rate/heuristic:strong/4"].value == 0.4
    assert measured["inference_time_ms"].value == 2.5
    assert measured["strategic_score"].value == 61.5
    assert model_store.evaluations(card.id) == [first, four]
    assert len(model_store.evaluations()) == 3
    later = evaluation(card.id, seed=10, win_rate=0.5, evaluated_at="2026-11-22T12:00:00Z")
    assert model_store.add_evaluation(later)
    assert model_store.card(card.id).win_rate.value == 0.5


def test_a_claim_measures_nothing(put):
    card = put(claimed={"win_rate": 0.99})
    assert card.win_rate is None
    assert card.measured == {}


@pytest.mark.sqlite_files
def test_another_writer_is_waited_for_and_then_told(settings, model_store, put):
    card = put()
    impatient = ModelStore(settings.model_copy(update={"storage": StorageSettings(busy_timeout_s=0.05)}))
    holder = sqlite3.connect(settings.home / "automation_tracking.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseBusyError, match="held by another process"):
        impatient.add_evaluation(evaluation(card.id))
    assert impatient.get(card.id)[0] == card  # who only reads waits for nobody
    holder.execute("ROLLBACK")
    holder.close()
    assert impatient.add_evaluation(evaluation(card.id))


def test_a_fresh_state_folder_gets_its_database(tmp_path, draft):
    settings = Settings(home=tmp_path / "new")
    with pytest.raises(StateError, match="nothing has run here yet"):
        ModelStore(settings, create=False)
    assert not settings.home.exists()
    card = ModelStore(settings).put(draft(), {"a": np.ones(2)})
    assert ModelStore(settings, create=False).card(card.id) == card


@pytest.mark.sqlite_files
@pytest.mark.parametrize(
    ("harm", "told"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "revision 9999"),
        ("UPDATE alembic_version SET version_num = '9999'; DROP TABLE models", "revision 9999"),
        ("DROP TABLE alembic_version", "another program"),
    ],
)
def test_a_database_that_is_not_ours_is_refused(settings, harm, told):
    with closing(sqlite3.connect(settings.home / "automation_tracking.db")) as plain, plain:
        plain.executescript(harm)
    plain.close()
    with pytest.raises(StateError, match=told):
        ModelStore(settings)
