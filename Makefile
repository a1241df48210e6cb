# Two commands matter: `make demo` and `make test`. Both prepare what they need.
PYTHON ?= python3
UV := .boot/bin/uv
BIN := .venv/bin
STAMP := .venv/.ready
# Files from uv's cache are copied, not linked: the cache may be on another disk.
export UV_LINK_MODE := copy
# What Python compiled is kept: the tests start some hundred short processes.
unexport PYTHONDONTWRITEBYTECODE
# Workers for the test-suite; 0 runs it in one process.
JOBS ?= auto

.PHONY: help setup demo test soak long-run check format lint types layers quick constraints clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(STAMP) ## make .venv with the lifecycle command in it

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "lifecycle needs Python 3.11 or newer; $(PYTHON) is older. Try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	@test -x $(UV) || $(PYTHON) -m pip install --quiet --disable-pip-version-check --no-warn-script-location \
	  --root-user-action ignore --target .boot 'uv>=0.13,<0.14'
	@test -x $(BIN)/python || $(UV) venv --quiet --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" .venv
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt --group dev --editable .
	@touch $(STAMP)

demo: $(STAMP) ## live a few people's lives under the example policy
	@$(BIN)/lifecycle demo

test: $(STAMP) ## pass all tests, on SQLite and on a real PostgreSQL
	@$(BIN)/pytest -n $(JOBS) --dist loadgroup

soak: $(STAMP) ## the large numbers: 2,000 examples each, 100,000 mutated bundles and simulated days, an hour of load
	@LIFECYCLE_EXAMPLES=soak $(BIN)/pytest -n $(JOBS) --dist loadgroup
	@PYTHONPATH=src:tests $(BIN)/python -m verify.fuzz 100000
	@PYTHONPATH=src:tests $(BIN)/python -m world.simulate --days 100000
	@$(MAKE) --no-print-directory long-run

long-run: $(STAMP) ## mixed load on both engines, LIFECYCLE_SOAK_MINUTES each (30), and every invariant at the end
	@PYTHONPATH=src:tests $(BIN)/python -m soak.mixed --engine sqlite
	@PYTHONPATH=src:tests $(BIN)/python -m soak.mixed --engine postgresql

check: format-check lint types layers quick ## everything quick, in under two minutes

format: $(STAMP) ## format the code
	@$(BIN)/ruff format src tests
	@$(BIN)/ruff check --fix --quiet src tests

format-check: $(STAMP)
	@$(BIN)/ruff format --check --quiet src tests

lint: $(STAMP)
	@$(BIN)/ruff check --quiet src tests

types: $(STAMP)
	@$(BIN)/mypy --no-error-summary

layers: $(STAMP)
	@$(BIN)/lint-imports --no-cache > .layers.log || { cat .layers.log; exit 1; }

quick: $(STAMP)
	@$(BIN)/pytest -q -n $(JOBS) --dist loadgroup tests/policy tests/domain tests/commands tests/ledger tests/vault tests/architecture \
	  --ignore tests/ledger/test_sequencer.py --ignore tests/ledger/test_publishing_under_fire.py

constraints: $(STAMP) ## pin the newest versions that fit, without any index address
	@$(UV) pip compile --quiet --universal --no-emit-index-url --no-header --python-version 3.11 \
	  --group dev --upgrade pyproject.toml --output-file constraints.txt

clean: ## remove what setup and demo made
	@rm -rf .boot .venv demo-data dist
