"""CONTRIBUTING.md names files and what they define: the code must bear it out."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
FLOWS = dict(re.findall(r"^### (.+)\n\n((?:\d\. .*\n(?:   .*\n)*)+)", TEXT, re.M))


def defined(path: Path) -> set[str]:
    """Functions, classes and `Class.method`."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{item.name}" for item in node.body if isinstance(item, ast.FunctionDef)}
    return found


@pytest.mark.parametrize("flow", FLOWS)
def test_a_flow_crosses_at_most_four_files_that_define_what_is_named_and_say_their_part(flow: str) -> None:
    steps = re.findall(r"^\d\. `([^`]+)` `([^`]+)`: \S", FLOWS[flow], re.M)
    numbers = re.findall(r"^(\d)\.", FLOWS[flow], re.M)
    assert numbers == ["1", "2", "3", "4"][: len(steps)]
    for name, what in steps:
        assert what in defined(ROOT / name), f"{name} defines no {what}"
        assert ast.get_docstring(ast.parse((ROOT / name).read_text()))


def test_there_are_the_flows_that_matter() -> None:
    assert len(FLOWS) >= 5


def test_every_file_that_is_named_is_there() -> None:
    places = set(re.findall(r"`((?:runner|pipeline|schemas|migrations|tests|deploy)/[\w./-]*)`", TEXT))
    assert len(places) > 25
    assert [place for place in sorted(places) if not (ROOT / place).exists()] == []
