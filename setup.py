"""What a wheel holds beyond the packages: as `pipeline/deploy` the files of `deploy/`, which commands read."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
LEFT_OUT = shutil.ignore_patterns("target", "testdata", "__pycache__", "Cargo.lock", "*.nbi", "*.nbc")


class BuildWithDeploy(build_py):
    """Copies `deploy/` beside the code, where `pipeline.bundled` looks for it. A checkout needs no copy: it has it."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            shutil.copytree(
                ROOT / "deploy", Path(self.build_lib) / "pipeline" / "deploy", ignore=LEFT_OUT, dirs_exist_ok=True
            )


setup(cmdclass={"build_py": BuildWithDeploy})
