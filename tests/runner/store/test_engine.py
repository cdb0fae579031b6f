"""The engine: nothing lost between processes or at a kill, readers on a snapshot, faults with a name and a remedy."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from migrations.upgrade import upgrade as migrate
from runner.store import games, heartbeat
from runner.store.backup import checked_copy, restore
from runner.store.engine import Store
from schemas.database import sqlite_file
from schemas.errors import (
    DatabaseBusyError,
    DatabaseDamagedError,
    DatabaseFullError,
    DatabaseReadOnlyError,
    SettingsError,
    StateError,
    TransientStateError,
)
from schemas.settings import Settings

NOW = datetime(2026, 3, 1, tzinfo=UTC)

COUNT_UP = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from runner.store import games
from runner.store.engine import Store
store = Store(sys.argv[1], 60)
path = Path("/shared")
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[2])):
    with store.write() as session:
        known = games.counted(session)[path]
        games.advance(session, path, known.inode + 1, 0, 1, datetime.now(UTC))
        assert games.total(session) == known.inode + 1
"""

TWO_ROWS_TOGETHER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from runner.store import games
from runner.store.engine import Store
store = Store(sys.argv[1], 60)
step = 0
while True:
    step += 1
    with store.write() as session:
        games.advance(session, Path("/left"), step, 0, 1, datetime.now(UTC))
        if step % 3 == 0:
            print("middle", flush=True)
        games.advance(session, Path("/right"), step, 0, 1, datetime.now(UTC))
    print("whole", flush=True)
"""

HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
connection.execute("UPDATE totals SET settled = 41")
print("held", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
"""


def child(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def until(holds: Callable[[], bool], limit_s: float = 30) -> None:
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize(
    "name", ["a%41b", "a?b", "a?mode=memory", "a#b", "a b ", "a&b=c", "{a}%(b)s", "a\nb", "a\\b", "ü☃"]
)
def test_the_database_lies_in_its_folder_whatever_that_is_called(name: str, tmp_path: Path):
    home = tmp_path / name
    store = Store(Settings(home=home).database_url, 5)
    store.create_file()
    migrate(store, 1, NOW)
    with store.write() as session:
        games.advance(session, Path("/g"), 1, 0, 7, NOW)
    backup = checked_copy(store, home / "copy.db", NOW)
    store.close()
    assert {"automation_tracking.db", "copy.db"} <= {path.name for path in home.iterdir()}
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert sqlite_file(Settings(home=home).database_url) == store.path
    in_child = Store(store.url.render_as_string(hide_password=False), 5)  # as `migrate` hands it to its child
    with in_child.read() as session:
        assert games.total(session) == 7
    in_child.close()
    assert restore(store, home, backup, NOW).source == backup
    store.close()


def test_a_path_that_is_too_long_for_sqlite_is_refused_in_words(tmp_path: Path):
    longest = tmp_path / "/".join(["d" * 100] * 3)
    longest = longest / ("e" * (504 - len(str(longest)) - len("/automation_tracking.db") - 1))
    store = Store(Settings(home=longest).database_url, 5)
    store.create_file()
    with store.write():
        pass
    store.close()
    with pytest.raises(SettingsError, match="has 505 bytes, and SQLite takes at most 504"):
        Store(Settings(home=longest.with_name(longest.name + "e")).database_url, 5)


def test_four_processes_that_read_then_write_lose_nothing(store: Store, url: str, now: datetime) -> None:
    steps = 60
    with store.write() as session:
        games.advance(session, Path("/shared"), 0, 0, 0, now)
    children = [child(COUNT_UP, url, str(steps)) for _ in range(4)]
    for process in children:
        assert line_of(process) == "ready"
    for process in children:
        tell(process)
    for process in children:
        process.communicate(timeout=120)
        assert process.returncode == 0
    with store.read() as session:
        assert games.total(session) == 4 * steps


def test_a_kill_leaves_whole_transactions(store: Store, url: str) -> None:
    whole = 0
    for lines in (3, 8):
        process = child(TWO_ROWS_TOGETHER, url)
        told = [line_of(process) for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        # Not `communicate`: it reads past what `readline` has fetched already and not handed out yet.
        assert process.stdout is not None
        rest = process.stdout.read()
        process.communicate(timeout=90)
        whole += (told + rest.split()).count("whole")
        with store.read() as session:
            left, right = (games.counted(session)[Path(name)].games for name in ("/left", "/right"))
        # the last commit may have come through although its word was cut off
        assert left == right
        assert left in (whole, whole + 1)
        whole = left
    assert store.integrity() == []


def test_writers_take_the_lock_at_once_and_readers_keep_their_snapshot(store: Store, now: datetime) -> None:
    with store.read() as reader:
        assert games.total(reader) == 0
        with store.write() as writer:
            games.advance(writer, Path("/a"), 1, 0, 5, now)
            with store.read() as other:
                assert games.total(other) == 0
        assert games.total(reader) == 0
    with store.read() as reader:
        assert games.total(reader) == 5


def test_an_exception_rolls_everything_back(store: Store, now: datetime) -> None:
    with pytest.raises(RuntimeError), store.write() as session:
        games.advance(session, Path("/a"), 1, 0, 5, now)
        raise RuntimeError
    with store.write() as session:
        assert games.total(session) == 0


def test_readers_cannot_write(store: Store, now: datetime) -> None:
    with pytest.raises(DatabaseReadOnlyError), store.read() as session:
        games.advance(session, Path("/a"), 1, 0, 5, now)


@pytest.mark.sqlite_files
def test_settings_of_the_file(store: Store) -> None:
    with store.write() as session:
        for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("auto_vacuum", 2)):
            assert session.execute(text(f"PRAGMA {pragma}")).scalar() == value


@pytest.mark.sqlite_files
def test_a_locked_database_says_so_after_the_timeout_and_works_again(store: Store, url: str, now: datetime) -> None:
    assert store.path is not None
    hasty = Store(url, busy_timeout_s=0.05)
    holder = child(HOLD, str(store.path))
    assert line_of(holder) == "held"
    with pytest.raises(DatabaseBusyError, match=r"another process.*automation_tracking\.db") as caught, hasty.write():
        pytest.fail("the lock was not taken at the start")
    assert isinstance(caught.value, TransientStateError)
    with hasty.read() as session:
        assert session.execute(text("SELECT settled FROM totals")).scalar() == 0
    waited: list[int] = []

    def wait_for_it() -> None:
        with store.write() as session:
            waited.append(session.execute(text("SELECT settled FROM totals")).scalar_one())

    thread = threading.Thread(target=wait_for_it)
    thread.start()
    tell(holder)
    holder.communicate(timeout=90)
    thread.join(timeout=90)
    assert waited == [41]
    with hasty.write() as session:
        games.advance(session, Path("/a"), 1, 0, 1, now)
    hasty.close()


def test_a_second_write_of_the_same_process_waits_for_the_first(store: Store, url: str) -> None:
    hasty = Store(url, busy_timeout_s=0.05)
    with hasty.write(), pytest.raises(DatabaseBusyError, match="another thread"), hasty.write():
        pytest.fail("two writers at once")
    hasty.close()


def test_changed_sees_commits_of_other_processes_and_only_commits(store: Store, url: str, now: datetime) -> None:
    assert store.changed()
    assert not store.changed()
    other = Store(url, busy_timeout_s=30)
    with other.write() as session:
        games.advance(session, Path("/a"), 1, 0, 1, now)
        assert not (store.is_sqlite and store.changed())
    assert store.changed()
    assert not store.changed()
    with other.read() as session:
        assert games.total(session) == 1
    assert not store.changed(), "who only reads changes nothing"
    with pytest.raises(RuntimeError), other.write() as session:
        games.advance(session, Path("/b"), 1, 0, 1, now)
        raise RuntimeError
    assert not (store.is_sqlite and store.changed())
    other.close()


@pytest.mark.sqlite_files
def test_a_full_disk_rolls_back_and_is_told(store: Store, now: datetime) -> None:
    with store.write() as session:
        pages = session.execute(text("PRAGMA page_count")).scalar_one()
    with store.write() as session:
        session.execute(text(f"PRAGMA max_page_count = {pages}"))
    with pytest.raises(DatabaseFullError, match=r"automation_tracking\.db"), store.write() as session:
        for number in range(2000):
            games.advance(session, Path(f"/{number:0200d}"), 1, 0, 1, now)
    with store.write() as session:
        assert games.total(session) == 0
        session.execute(text("PRAGMA max_page_count = 1000000"))
        games.advance(session, Path("/a"), 1, 0, 1, now)


@pytest.mark.sqlite_files
def test_a_damaged_file_is_named_with_the_way_back(store: Store, url: str, now: datetime) -> None:
    assert store.path is not None
    with store.write() as session:
        heartbeat.started(session, pid=1, host="h", boot_id="b", version="1", now=now)
    assert store.checkpoint()
    store.close()
    content = bytearray(store.path.read_bytes())
    content[4096:] = b"\x5a" * (len(content) - 4096)
    store.path.write_bytes(content)
    with pytest.raises(DatabaseDamagedError, match="backup") as caught, store.read() as session:
        heartbeat.get(session)
    assert str(store.path) in str(caught.value)
    store.close()
    store.path.write_bytes(b"no database at all " * 1000)
    with pytest.raises(DatabaseDamagedError), store.write():
        pytest.fail("opened")


READ_ONLY = """
import os, sys
from sqlalchemy import text
from runner.store.engine import Store
from schemas.errors import DatabaseReadOnlyError
if os.geteuid() == 0:
    os.setuid(65534)
store = Store(sys.argv[1], 1)
try:
    with store.write() as session:
        session.execute(text("UPDATE totals SET settled = 1"))
    print("written")
except DatabaseReadOnlyError as error:
    print("refused", error)
"""


@pytest.mark.sqlite_files
def test_a_file_without_write_permission(store: Store, tmp_path: Path) -> None:
    assert store.path is not None
    store.checkpoint()
    store.close()
    path = Path("/dev/shm") / f"ouroboros-read-only-{os.getpid()}.db"  # other users cannot enter tmp_path
    try:
        path.write_bytes(store.path.read_bytes())
        path.chmod(0o444)
        done = subprocess.run(
            [sys.executable, "-c", READ_ONLY, f"sqlite:///{path}"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout.startswith("refused the database may not be written"), done
        assert "permission" in done.stdout
    finally:
        for leftover in path.parent.glob(f"{path.name}*"):
            leftover.unlink()


def test_no_database_is_no_reason_to_make_one(tmp_path: Path) -> None:
    path = tmp_path / "absent.db"
    store = Store(f"sqlite:///{path}", 1)
    for use in (store.read, store.write):
        with pytest.raises(StateError, match="ouroboros up"), use() as session:
            session.execute(text("SELECT 1"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:////a.db?mode=memory",
        "postgresql://me:secret@host/db",
        "postgresql://me@host/db?password=secret",
        "postgresql://me@host/db?sslpassword=secret",
    ],
)
def test_a_url_that_cannot_work_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match=r"storage\.database_url") as refused:
        Store(url, 1)
    assert "secret" not in str(refused.value)


def test_a_path_with_odd_characters(tmp_path: Path, now: datetime) -> None:
    folder = tmp_path / "a b?c#d%20ü"
    store = Store(f"sqlite:///{folder}/x.db".replace("?", "%3F"), 5)
    store.create_file()
    assert store.path is not None
    with closing(sqlite3.connect(store.path)) as plain, plain:
        plain.execute("CREATE TABLE t (a)")
    plain.close()
    with store.read() as session:
        assert session.execute(text("SELECT count(*) FROM t")).scalar() == 0
    store.close()


@pytest.mark.sqlite_files
def test_a_copy_is_whole_while_writing_goes_on_and_overwrites_nothing(store: Store, url: str, tmp_path: Path) -> None:
    process = child(TWO_ROWS_TOGETHER, url)
    until(lambda: line_of(process) == "whole")
    target = tmp_path / "copy.db"
    store.copy_to(target)
    process.kill()
    process.communicate(timeout=90)
    copy = Store(f"sqlite:///{target}", 5)
    assert copy.integrity() == []
    with copy.read() as session:
        found = games.counted(session)
        assert found[Path("/left")].games == found[Path("/right")].games > 0
    copy.close()
    with pytest.raises(StateError, match="never overwrites"):
        store.copy_to(target)
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")]
