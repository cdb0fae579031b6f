#!/usr/bin/env bash
# Checks what the tuner needs, builds the Python environment, and says what is missing and how to get it.
# Exit code 0: deploy/start_training.sh can start; 2: something has to be mended first.
#
#   deploy/quick_setup.sh [SNAKE_DIR]     the snake to be tuned; left out: the bundled one
set -uo pipefail

snake=${1:-}
[[ -z $snake || $snake == /* ]] || snake=$PWD/$snake # as it is meant from where you stand
CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." || exit 2
snake=${snake:-deploy/go-snake}
python=${PYTHON:-python3}
missing=0

good() { printf '✓ %s\n' "$1"; }
bad() {
    printf '✗ %s\n' "$1" >&2
    missing=1
}

if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    good "$("$python" --version)"
else
    bad "Python 3.11 or later is needed; name one with PYTHON=python3.12 $0"
fi
for command in make git; do
    if command -v "$command" >/dev/null; then
        good "$command"
    else
        bad "$command is needed; install it from your system's packages"
    fi
done
((missing)) && exit 2

if make --no-print-directory .venv/.run; then
    good "environment in .venv"
else
    bad "the environment could not be built; its messages stand above"
    exit 2
fi
if go=$(.venv/bin/python -c 'from pipeline.snake_builder import find_go; print(find_go())' 2>&1); then
    good "Go: $go"
else
    bad "${go##*$'\n'}"
fi
if weights=$(.venv/bin/python - "$snake/config.yaml" 2>&1 <<'CHECK'
import sys
from pathlib import Path
from pipeline.tuner.weights import read
print(len(read(Path(sys.argv[1])).weights))
CHECK
); then
    good "$snake/config.yaml: $weights weights"
else
    bad "${weights##*$'\n'}"
fi
if command -v jq >/dev/null; then
    good "jq, for looking at the training log"
else
    printf '· jq is not installed; only the guide'\''s look at the training log needs it\n'
fi
((missing)) && exit 2
printf 'Ready: deploy/start_training.sh\n'
