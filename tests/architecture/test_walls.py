"""The walls between the rooms, proved from outside: what a fresh process has loaded after an import."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "numba", "numpy", "scipy", "matplotlib", "pipeline", "litestar", "uvicorn", "ray", "psycopg")


def modules_after(statement: str) -> set[str]:
    """Top-level names in `sys.modules` of a fresh interpreter after `statement`."""
    code = f"{statement}\nimport sys\nprint('\\n'.join(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import runner.cli",
        "import runner.daemon",
        "from runner import AutomatedTrainingRunner",
        "from runner import DistributedTrainingRunner",
        "import runner.cluster_node",
        "import runner.commands.up",
        "import runner.worker.child",
    ],
)
def test_the_daemon_loads_no_work(statement: str) -> None:
    assert modules_after(statement).isdisjoint(HEAVY)


def test_the_tuner_facade_loads_neither_torch_nor_numba() -> None:
    assert modules_after("from pipeline import ContinuousTrainer").isdisjoint({"torch", "numba"})


def test_a_run_on_many_machines_loads_no_ray() -> None:
    assert "ray" not in modules_after("from pipeline.cluster.all_machines import on_all_machines")


def test_the_schemas_stand_on_pydantic_alone() -> None:
    loaded = modules_after("import schemas.execution, schemas.game")
    assert loaded.isdisjoint({"sqlalchemy", "click", "croniter", "psutil", "rich", "yaml", "ruamel", "runner", *HEAVY})


def test_every_dependency_is_pinned_exactly() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    loose = [
        line for line in [*project["dependencies"], *extras] if "==" not in line and not line.startswith("ouroboros[")
    ]
    assert loose == []


def test_no_long_files_and_no_forbidden_names() -> None:
    folders = ("schemas", "runner", "pipeline", "migrations")
    sources = [path for folder in folders for path in ROOT.glob(f"{folder}/**/*.py")]
    assert len(sources) > 20
    assert [str(path) for path in sources if path.stem in {"utils", "helpers", "common", "core", "misc"}] == []
    assert [str(path) for path in sources if len(path.read_text().splitlines()) > 450] == []
