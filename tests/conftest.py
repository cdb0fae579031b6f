"""What holds for every test."""

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def numbers_as_they_were() -> Iterator[None]:
    """Training sets its process up to count the smallest floats as zero; no other test may inherit that."""
    yield
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_flush_denormal(False)
