# fewest: `make` alone shows what there is. Knobs: STUDY=, STORAGE=, NAME=, ARGS=, e.g. make study STUDY=digits ARGS="--trials 40"

STUDY ?= mnist
NAME ?= $(basename $(notdir $(STUDY)))
STORAGE ?= sqlite:///fewest.db
ARGS ?=
PYTHON ?= python3

FEWEST = FEWEST_STORAGE=$(STORAGE) .venv/bin/fewest
TEST = .venv/bin/python -m pytest -n 2 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help install study resume worker answer report figures dashboard test quick package torture check lock clean

help:  ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/installed  ## Only prepare .venv

study: .venv/installed  ## Search: create or continue STUDY (mnist, digits, notebook or a .toml path)
	$(FEWEST) run $(STUDY) $(ARGS)

resume: .venv/installed  ## Continue an interrupted study from its stored settings
	$(FEWEST) resume $(NAME) $(ARGS)

worker: .venv/installed  ## Help with any unfinished study in STORAGE; start as many as there are cores or machines
	$(FEWEST) worker $(ARGS)

answer: .venv/installed  ## Print the fewest neurons per target accuracy
	$(FEWEST) answer $(NAME) $(ARGS)

report: .venv/installed  ## Write what a study found as one HTML file
	$(FEWEST) report $(NAME) $(ARGS)

figures: .venv/pictured  ## Write every figure of a study as SVG and PNG; needs Chromium or Chrome
	$(FEWEST) figures $(NAME) $(ARGS)

dashboard: .venv/installed  ## Serve optuna-dashboard over the storage
	$(FEWEST) dashboard $(ARGS)

test: .venv/developed  ## Run all tests
	$(TEST) $(ARGS)

quick: .venv/developed  ## Run the tests that are not marked slow
	$(TEST) -m "not slow" $(ARGS)

package: .venv/developed  ## Build wheel and sdist, install each into an empty environment, and run it
	.venv/bin/python tests/check_package.py

torture: .venv/developed  ## Kill a study a hundred times and compare it with one left in peace
	FEWEST_KILLS=100 .venv/bin/python -m pytest -s tests/fewest/test_kills.py $(ARGS)

check: .venv/developed  ## Check style, types and the direction of imports
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

lock: .venv/developed  ## Pin the newest versions that pyproject.toml allows
	.venv/bin/python -m piptools compile -q --upgrade $(PINS) -o requirements.lock pyproject.toml
	.venv/bin/python -m piptools compile -q --upgrade $(PINS) --all-extras -c requirements.lock -o requirements-dev.lock pyproject.toml

clean:  ## Remove .venv and caches; studies stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info build dist

PINS = --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --strip-extras --no-annotate

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("fewest needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

.venv/pictured: .venv/installed requirements-dev.lock
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -c requirements-dev.lock --editable '.[figures]'
	touch $@

.venv/developed: .venv/installed requirements-dev.lock
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	touch $@
