# Two commands for a newcomer: `make demo` and `make test`. Each makes its own virtual environment from the lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check chaos bench lock clean

$(VENV)/.installed: requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

demo: $(VENV)/.installed
	$(BIN)/python -m sandbox

test: $(VENV)/.installed
	$(BIN)/python -m pytest $(ARGS)

# Three bots under fire, at scale; `make chaos ARGS="--seed 7"` repeats a run.
chaos: $(VENV)/.installed
	$(BIN)/python -m tests.chaos $(ARGS)

check: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/unit/test_manifest.py

# About ten minutes on an idle machine. With ARGS, only those rows, and nothing is written.
bench: $(VENV)/.installed
	$(BIN)/python -m benchmarks $(ARGS)

# Hashes without addresses, for every platform that Python 3.11 and later run on.
lock:
	$(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/python -m pip install --quiet uv
	$(VENV)-lock/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --no-header --quiet --upgrade -o requirements.lock
	$(VENV)-lock/bin/uv pip compile pyproject.toml --group dev -c requirements.lock --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-annotate --no-header --quiet --upgrade -o requirements-dev.lock

clean:
	rm -rf $(VENV) $(VENV)-lock .pytest_cache .mypy_cache .ruff_cache .hypothesis
