"""The cap of a worker's log: head and tail stay, the middle is counted."""

import re

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.worker import log_cap
from runner.worker.log_cap import cap_log
from schemas.execution import Outcome
from schemas.service import WorkerSettings


def left_out(content):
    found = re.findall(rb"\[\.\.\. (\d+) bytes were left out here; workers\.log_max_mb caps this log \.\.\.\]", content)
    return [int(number) for number in found]


MOST = 1 << 20


@given(st.lists(st.tuples(st.integers(1, 60_000), st.booleans()), min_size=1, max_size=12), st.booleans())
@hypothesis.settings(max_examples=25, deadline=None)
def test_however_it_grows_its_beginning_its_end_and_the_count_of_the_rest_are_kept(tmp_path_factory, growth, holes):
    """With and without a file system that has holes: there, only an ended one is cut, as long as it is not huge."""
    path = tmp_path_factory.mktemp("log") / "worker.log"
    whole = b""
    with path.open("ab", buffering=0) as worker, pytest.MonkeyPatch.context() as patch:
        if not holes:
            patch.setattr(log_cap, "_punched", lambda *_: False)
        for lines, look in growth:
            text = b"".join(b"line %06d\n" % number for number in range(len(whole) // 12, len(whole) // 12 + lines))
            worker.write(text)
            whole += text
            if look:
                cap_log(path, MOST, ended=False)
    cap_log(path, MOST, ended=True)
    content = path.read_bytes()
    assert len(content) <= MOST
    if len(whole) <= MOST:
        assert content == whole
        return
    (number,) = left_out(content)
    before, after = re.split(rb"\n\[\.\.\. \d+ bytes [^\]]*\]\n", content)
    assert len(before) + number + len(after) == len(whole)
    assert whole.startswith(before)
    assert whole.endswith(after)
    assert len(before) == MOST // 4
    assert len(after) >= MOST // 2 - 12


def test_while_the_worker_writes_nothing_is_moved_and_the_disk_is_given_back(tmp_path):
    path = tmp_path / "worker.log"
    whole = b"".join(b"line %06d\n" % number for number in range(800_000))
    with path.open("ab", buffering=0) as worker:
        worker.write(whole)
        cap_log(path, MOST, ended=False)
        worker.write(b"more\n")
    content = path.read_bytes()
    assert content.endswith(whole[-1000:] + b"more\n")
    if not left_out(content):  # there are holes on this file system
        assert len(content) == len(whole) + 5
        assert path.stat().st_blocks * 512 <= MOST


def test_a_log_below_its_cap_or_absent_is_left_alone(tmp_path):
    path = tmp_path / "worker.log"
    for ended in (False, True):
        cap_log(path, 4096, ended=ended)
        assert not path.exists()
    path.write_bytes(b"x" * 4096)
    for ended in (False, True):
        cap_log(path, 4096, ended=ended)
        assert path.read_bytes() == b"x" * 4096


def test_one_endless_line_is_cut_too(tmp_path):
    path = tmp_path / "worker.log"
    path.write_bytes(b"x" * 50_000)
    cap_log(path, 4096, ended=True)
    assert (path.stat().st_size <= 4096, len(left_out(path.read_bytes()))) == (True, 1)


def test_a_log_that_cannot_be_cut_raises_and_stays(tmp_path):
    (tmp_path / "worker.log").mkdir()
    for number in range(200):
        (tmp_path / "worker.log" / f"{number:0200d}").touch()
    size = (tmp_path / "worker.log").stat().st_size
    with pytest.raises(OSError, match="directory"):
        cap_log(tmp_path / "worker.log", size - 1, ended=True)


def test_a_worker_that_floods_its_log_keeps_its_first_and_last_words(bench):
    """It writes 40 MB, caps or not; the disk never holds more than what it writes between two looks."""
    settings = WorkerSettings(heartbeat_interval_s=0.1, sample_interval_s=0.1, nice=3, log_max_mb=1)
    bench.use(settings)
    handle = bench.start("flood_the_log", settings)
    seen = bench.end_of(handle)
    assert seen.result.outcome is Outcome.SUCCEEDED
    content = handle.run_dir.log_path.read_bytes()
    assert len(content) <= 1_000_000
    assert b"the first words" in content[:1000]
    assert b"the last words" in content[-1000:]
    assert sum(left_out(content)) > 38_000_000
    assert any("the last words" in line for line in handle.run_dir.log_tail())
