"""What holds for every test."""

import gc
import signal
import sys
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from postgresql_server import PrivateServer, private_server

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell begins what it runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What the imports of all tests make stays to the end: the collector looks at it neither meanwhile nor later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True)
def numbers_as_they_were() -> Iterator[None]:
    """Training sets its process up to count the smallest floats as zero; no other test may inherit that."""
    yield
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_flush_denormal(False)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What is asked for with `database_kind` runs on every database, but for what is about SQLite's files."""
    if "database_kind" in metafunc.fixturenames:
        files_only = metafunc.definition.get_closest_marker("sqlite_files") is not None
        metafunc.parametrize("database_kind", ["sqlite"] if files_only else ["sqlite", "postgresql"])


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty history on SQLite as an upgrade makes it, made once a process; for a test to copy, never to open."""
    from migrations.upgrade import upgrade
    from runner.store.engine import Store

    path = tmp_path_factory.mktemp("empty") / "empty.db"
    made = Store(f"sqlite:///{path}", busy_timeout_s=30)
    upgrade(made, keep_backups=3, now=datetime(2026, 11, 21, 12, tzinfo=UTC))
    made.checkpoint()
    made.close()
    return path


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PrivateServer]:
    """One server for all tests of this process that ask for a database of their own; none may stop it."""
    with private_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_template(postgresql: PrivateServer) -> str:
    """A database as an upgrade makes it; copied for each test."""
    from migrations.upgrade import upgrade
    from runner.store.engine import Store

    name = postgresql.new_database()
    made = Store(postgresql.url(name), busy_timeout_s=30)
    upgrade(made, keep_backups=3, now=datetime(2026, 11, 21, tzinfo=UTC))
    made.close()
    return name


@pytest.fixture
def postgresql_own(postgresql: PrivateServer, postgresql_template: str) -> Iterator[str]:
    """The name of a database of this test's own, for one that changes more than rows."""
    name = postgresql.new_database(postgresql_template)
    yield name
    postgresql.drop(name)


@pytest.fixture(scope="session")
def postgresql_shared(postgresql: PrivateServer, postgresql_template: str) -> str:
    """The name of a database that one test after the other has for itself."""
    return postgresql.new_database(postgresql_template)


@pytest.fixture
def postgresql_url(postgresql: PrivateServer, postgresql_shared: str) -> Iterator[str]:
    """The URL of an empty history on PostgreSQL."""
    yield postgresql.url(postgresql_shared)
    postgresql.empty(postgresql_shared)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test printed or logged travels between processes as UTF-8, also where odd text is what it is about."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report
