"""What holds for every test."""

import sys
from collections.abc import Generator, Iterator

import pytest


@pytest.fixture(autouse=True)
def numbers_as_they_were() -> Iterator[None]:
    """Training sets its process up to count the smallest floats as zero; no other test may inherit that."""
    yield
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_flush_denormal(False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test printed or logged travels between processes as UTF-8, also where odd text is what it is about."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report
