"""Workers by name."""

import os.path
from importlib.metadata import entry_points

import pytest

from runner.worker.jobs import GROUP, check_job, installed_workers, is_dotted, resolve
from schemas.errors import BadInputError


def test_installed_workers_are_the_entry_points_of_the_group():
    assert installed_workers() == {point.name for point in entry_points(group=GROUP)}


def test_a_dotted_name_is_imported():
    assert is_dotted("os.path:join")
    assert resolve("os.path:join") is os.path.join
    assert not is_dotted("tuner")


@pytest.mark.parametrize(
    "name", ["", "nobody", "no_such_module:job", "os.path:no_such", "os.path:sep", ":", "os.path:"]
)
def test_what_cannot_be_resolved_is_bad_input(name):
    with pytest.raises(BadInputError):
        resolve(name)


@pytest.mark.parametrize("name", [":", "os.path:", "a:b:c", "my mod:fn", "mod:fn()", "./job.py:main", "mod:\u202efn"])
def test_what_names_no_function_is_refused_before_it_is_saved(name):
    with pytest.raises(BadInputError, match="no name of a function"):
        check_job(name)
    check_job("package.module:Class.method")


def test_a_missing_pipeline_says_what_to_install(monkeypatch):
    monkeypatch.setattr("runner.worker.jobs._offered", dict)
    with pytest.raises(BadInputError, match=r"pip install 'ouroboros\[train\]'"):
        resolve("pipeline")
