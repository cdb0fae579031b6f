"""Two models that go their way wherever it is open."""

import pytest
from made_model import make_model, prefers


@pytest.fixture(scope="session")
def model_file(tmp_path_factory):
    """A snake that goes right where it can, else up, left, down."""
    return make_model(tmp_path_factory.mktemp("model") / "m.onnx", "right-1", prefers("right", "up", "left", "down"))


@pytest.fixture(scope="session")
def challenger_file(tmp_path_factory):
    """One that prefers up."""
    return make_model(tmp_path_factory.mktemp("model") / "c.onnx", "up-1", prefers("up", "right", "left", "down"))
