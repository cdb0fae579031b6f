"""A copy of the foreign Go snake (tests/support/foreign-snake): as it is, or with Ouroboros' arena linked into it."""

import shutil
import subprocess
from pathlib import Path

from go_programs import REPOSITORY

from pipeline.snake_builder import build_environment

SOURCE = REPOSITORY / "tests" / "support" / "foreign-snake"
SETTINGS = "settings/tuning.yaml"
BUILD_COMMAND = "go build -o {output} ./cmd/hydra"
READ_KEYS = 10
"""Keys below `strategy`; `server.port` is read too."""
DEAD_KEYS = 10
"""All others."""
# One file beside main.go, and two lines in go.mod: no line of the snake itself is changed.
_LINK = """package main

import (
	"encoding/json"

	"example.com/hydra/internal/mind"
	"example.com/hydra/internal/wire"

	arena "ouroboros-arena"
)

func init() {
	arena.Main(func(weights []byte) (arena.Snake, error) {
		settings, err := mind.Read(weights)
		if err != nil {
			return nil, err
		}
		return arena.FromJSON(func(request []byte) (string, error) {
			var state wire.Request
			err := json.Unmarshal(request, &state)
			return mind.Decide(&state, settings), err
		}), nil
	})
}
"""


def foreign_snake(folder: Path, *, arena: bool = False) -> Path:
    """Copy the snake to `folder`, which must not exist; with `arena` as arena/README.md says to link it."""
    shutil.copytree(SOURCE, folder)
    if arena:
        (folder / "cmd" / "hydra" / "ouroboros.go").write_text(_LINK)
        here = REPOSITORY / "deploy" / "go-snake" / "arena"
        edits = ["-require=ouroboros-arena@v0.0.0", f"-replace=ouroboros-arena={here}"]
        subprocess.run(["go", "mod", "edit", *edits], cwd=folder, env=build_environment("go"), check=True)
    return folder


def build_foreign_snake(folder: Path) -> Path:
    """Build the copy in `folder` with no network; return the binary."""
    environment = {**build_environment("go"), "GOPROXY": "off", "GOFLAGS": "-mod=mod"}
    output = folder / "hydra"
    words = [word.replace("{output}", str(output)) for word in BUILD_COMMAND.split()]
    run = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return output
