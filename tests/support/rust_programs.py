"""The Rust snake, built on the spot; cargo's own target folder makes the second time quick."""

import os
import shutil
import subprocess
from pathlib import Path

from left_out import leave_out

CRATE = Path(__file__).parents[2] / "deploy" / "rust-snake"


def build_rust_snake() -> Path:
    """Build the release binary and return it; without cargo skip, or fail where every test must run."""
    cargo = shutil.which("cargo") or shutil.which("cargo", path=str(Path.home() / ".cargo" / "bin"))
    if cargo is None:
        reason = "there is no cargo (the Rust toolchain) on PATH or in ~/.cargo/bin"
        leave_out(reason)
    environment = {**os.environ, "PATH": f"{Path(cargo).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    command = [cargo, "build", "--release", "--quiet"]
    run = subprocess.run(command, cwd=CRATE, env=environment, capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"{' '.join(command)} in {CRATE} failed:\n{run.stderr}")
    target = Path(os.environ.get("CARGO_TARGET_DIR", CRATE / "target"))
    return target / "release" / "rust-snake"
