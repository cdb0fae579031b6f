"""The replay buffer: what it holds, how it draws, and that it goes on exactly where it was saved."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.data.buffer import ALPHA, FLOOR, ExperienceBatch, ExperienceReplayBuffer
from pipeline.data.positions import Positions, join, positions_of
from pipeline.data.stored_game import StoredGame
from schemas.errors import DataError


@pytest.fixture(scope="module")
def rows(games: list[StoredGame]) -> Positions:
    """Some 600 positions of all kinds, `turns` numbering them."""
    made = positions_of(games, every=7)
    return made._replace(turns=np.arange(len(made), dtype=np.int32))


def same(one: Positions, other: Positions) -> bool:
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def same_batch(one: ExperienceBatch, other: ExperienceBatch) -> bool:
    return same(one.positions, other.positions) and all(
        np.array_equal(a, b) for a, b in zip(one[1:], other[1:], strict=True)
    )


def test_an_empty_buffer_draws_nothing() -> None:
    buffer = ExperienceReplayBuffer()
    assert len(buffer) == 0
    for draw in (buffer.sample_batch, buffer.sample_high_quality_batch):
        with pytest.raises(DataError, match="empty"):
            draw(4)


@pytest.mark.parametrize("prioritized", [True, False])
def test_what_is_drawn_is_what_was_added(rows: Positions, prioritized: bool) -> None:
    buffer = ExperienceReplayBuffer(10_000, 0.0, prioritized)
    assert buffer.add(rows, 0.5) == len(rows) == len(buffer)
    batch = buffer.sample_batch(256)
    assert batch.positions.planes.shape == (256, 12, 11, 11)
    assert same(batch.positions, rows.rows(batch.indices))
    assert len(set(batch.indices.tolist())) > 128
    assert (batch.quality == 0.5).all()


def test_low_quality_is_not_taken(rows: Positions) -> None:
    buffer = ExperienceReplayBuffer(10_000, quality_threshold=0.6)
    quality = np.linspace(0, 1, len(rows))
    assert buffer.add(rows, quality) == (quality >= 0.6).sum()
    assert buffer.add(rows, 0.59) == 0
    assert buffer.sample_batch(300).quality.min() >= np.float32(0.6)


def test_games_are_added_with_their_quality(games: list[StoredGame]) -> None:
    buffer = ExperienceReplayBuffer(10_000, quality_threshold=0.7)
    good = [game for game in games if game.quality >= 0.7]
    assert 0 < len(good) < len(games)
    assert buffer.add_games(games) == sum(game.decisions for game in good) == len(buffer)
    batch = buffer.sample_batch(64)
    assert np.allclose(batch.quality, [good[game].quality for game in batch.positions.game])


def test_high_quality_batches_come_from_the_best_quarter(rows: Positions) -> None:
    buffer = ExperienceReplayBuffer(len(rows), 0.0)
    quality = np.random.default_rng(1).random(len(rows))
    buffer.add(rows, quality)
    drawn = buffer.sample_high_quality_batch(2000)
    limit = np.sort(quality)[-round(len(rows) / 4) - 1]
    assert drawn.quality.min() >= np.float32(limit)
    assert len(set(drawn.indices.tolist())) > len(rows) / 6
    buffer.add(rows, 0.0)
    buffer.add(rows.rows(slice(0, 5)), 1.0)
    assert set(buffer.sample_high_quality_batch(200).quality.tolist()) <= {0.0, 1.0}


def test_draws_follow_the_priorities_and_weights_undo_them(rows: Positions) -> None:
    count = 64
    buffer = ExperienceReplayBuffer(count, 0.0, seed=5)
    buffer.add(rows.rows(slice(0, count)), 1.0)
    errors = np.linspace(0, 3, count)
    buffer.update_priorities(np.arange(count), errors)
    shares = (errors + FLOOR) ** ALPHA
    shares /= shares.sum()
    drawn = np.concatenate([buffer.sample_batch(count).indices for _ in range(400)])
    seen = np.bincount(drawn, minlength=count) / len(drawn)
    assert np.abs(seen - shares).max() < 0.003
    batch = buffer.sample_batch(32, beta=1.0)
    wanted = 1 / shares[batch.indices]
    assert np.allclose(batch.weights, wanted / wanted.max(), rtol=1e-5)
    assert (buffer.sample_batch(32, beta=0.0).weights == 1).all()


def test_new_experiences_come_with_the_largest_priority(rows: Positions) -> None:
    buffer = ExperienceReplayBuffer(100, 0.0)
    buffer.add(rows.rows(slice(0, 50)), 1.0)
    buffer.update_priorities(np.arange(50), np.full(50, 1e-9))
    buffer.update_priorities(np.array([3]), np.array([9.0]))
    buffer.add(rows.rows(slice(50, 51)), 1.0)
    drawn = buffer.sample_batch(1000).indices
    assert (drawn == 50).sum() > 300
    assert (drawn == 3).sum() > 300


def test_what_was_evicted_cannot_be_updated(rows: Positions) -> None:
    buffer = ExperienceReplayBuffer(10, 0.0)
    buffer.add(rows.rows(slice(0, 10)), 1.0)
    old = buffer.sample_batch(8).indices
    buffer.add(rows.rows(slice(10, 20)), 1.0)
    twin = ExperienceReplayBuffer(10, 0.0)
    twin.add(rows.rows(slice(0, 10)), 1.0)
    twin.sample_batch(8)
    twin.add(rows.rows(slice(10, 20)), 1.0)
    assert buffer.update_priorities(old, np.full(8, 1e6)) == 0
    assert buffer.update_priorities(np.array([25, -3]), np.full(2, 1e6)) == 0
    for _ in range(5):
        assert same_batch(buffer.sample_batch(16), twin.sample_batch(16))


@pytest.mark.parametrize("errors", [np.array([np.nan]), np.array([np.inf]), np.zeros(2)])
def test_errors_that_are_none_are_refused(rows: Positions, errors: np.ndarray) -> None:
    buffer = ExperienceReplayBuffer(10, 0.0)
    buffer.add(rows.rows(slice(0, 5)), 1.0)
    with pytest.raises(ValueError, match="errors"):
        buffer.update_priorities(np.array([1]), errors)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    size=st.integers(1, 60), prioritized=st.booleans(), seed=st.integers(0, 5),
    steps=st.lists(st.tuples(st.integers(0, 90), st.booleans(), st.integers(0, 99)), max_size=8),
)  # fmt: skip
def test_after_any_course_it_holds_the_newest_and_a_saved_one_goes_on_alike(
    tmp_path: Path, rows: Positions, size: int, prioritized: bool, seed: int,
    steps: list[tuple[int, bool, int]],
) -> None:  # fmt: skip
    buffer, added = ExperienceReplayBuffer(size, 0.0, prioritized, seed), np.zeros(0, np.int64)
    for count, reload, number in steps:
        chosen = np.random.default_rng(number).integers(0, len(rows), count)
        buffer.add(rows.rows(chosen), number / 100)
        added = np.concatenate([added, chosen])
        assert len(buffer) == min(size, len(added))
        if len(added) == 0:
            continue
        batch = buffer.sample_batch(13)
        assert (batch.indices >= len(added) - len(buffer)).all()
        assert (batch.indices < len(added)).all()
        assert same(batch.positions, rows.rows(added[batch.indices]))
        assert buffer.update_priorities(batch.indices, batch.positions.outcome * number) == 13
        if reload:
            buffer.save(tmp_path / "buffer.safetensors")
            other = ExperienceReplayBuffer.load(tmp_path / "buffer.safetensors")
            assert same_batch(buffer.sample_batch(20), other.sample_batch(20))
            assert same_batch(buffer.sample_high_quality_batch(20), other.sample_high_quality_batch(20))
            buffer = other


def test_the_ring_of_codes_grows_and_turns_without_loss(games: list[StoredGame]) -> None:
    big = [game for game in games if game.width == 11]
    whole = join([positions_of(big)] * 6)
    buffer = ExperienceReplayBuffer(3000, 0.0)
    for first in range(0, len(whole), 1111):
        buffer.add(whole.rows(slice(first, first + 1111)), 1.0)
    batch = buffer.sample_batch(3000)
    assert same(batch.positions, whole.rows(batch.indices))
    assert buffer.bytes_per_experience < 1573


def test_a_damaged_or_foreign_file_is_refused(tmp_path: Path, rows: Positions) -> None:
    path = tmp_path / "buffer.safetensors"
    buffer = ExperienceReplayBuffer(50, 0.0)
    buffer.add(rows.rows(slice(0, 50)), 1.0)
    buffer.save(path)
    data = path.read_bytes()
    for harmed in (data[:-3], data[:-30] + bytes([data[-30] ^ 4]) + data[-29:], b"", b"x" * 100):
        path.write_bytes(harmed)
        with pytest.raises(DataError):
            ExperienceReplayBuffer.load(path)
    with pytest.raises(DataError):
        ExperienceReplayBuffer.load(tmp_path / "absent")
