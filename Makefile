# Every target sets up .venv from the lock file first, where that is still to do.
.PHONY: help study test lab setup bench montecarlo lock clean
.DEFAULT_GOAL := help
PYTHON ?= python3
BOOT = $(PYTHON) -m leapstudy.bootstrap
IN_VENV = .venv/bin/python
# the simulations of coverage and power take longer, and are kept
PAIRED = batch students_moments design explorer

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

study: ## run every district on both tracks and build reports/index.html
	@$(BOOT) study

test: ## run everything that CI runs
	@$(BOOT) test

lab: ## open JupyterLab in the workspace
	@$(BOOT) lab

setup: ## only set up .venv
	@$(BOOT) setup

bench: ## pair us with the peers and print the ratios (about half an hour)
	@$(BOOT) setup-test
	@for script in $(PAIRED) page; do $(IN_VENV) benchmarks/$$script.py; done

montecarlo: ## bias and coverage of each student design (SIMULATED data, long)
	@$(BOOT) setup-test
	@$(IN_VENV) benchmarks/montecarlo.py

lock: ## resolve the versions anew and write both lock files and environment.yml
	@$(BOOT) setup-test
	@$(IN_VENV) -m leapstudy.core.environment

clean: ## remove what can be built again, .venv included
	@rm -rf .venv reports data/derived build *.egg-info .mypy_cache .ruff_cache .hypothesis
