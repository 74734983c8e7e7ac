# labpool: every target in one line with `make help`. Logic longer than a line or two lives in tools/.
SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Where the machine sets it, each process would compile all of the tests anew.
export PYTHONDONTWRITEBYTECODE :=

BIN := $(CURDIR)/.venv/bin
# What make starts finds our own programs first: python, node where the system has none, the proxy.
RUN := PATH="$(BIN):$(CURDIR)/node_modules/.bin:$$PATH"
SETUP := $(shell command -v python3 || echo "$(PYTHON)") tools/setup.py $(if $(PYTHON),--python "$(PYTHON)")
LOCK := uv pip compile --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-header --quiet \
  --excludes requirements/in-this-repository.txt $(if $(UPGRADE),--upgrade)
# With CI=true the tests on a cluster have to run. Where its programs can't be built those fail, and the others are run.
CI_BUILDS := $(if $(filter true,$(CI)),python3 -m tools.cluster_tools ||:)
ALL := pyproject.toml --extra hub --extra notebook --extra test

# A file's tests share their hub. They wait for processes more than they compute, hence two workers more than cores.
SIDE_BY_SIDE := -n $(shell expr $$(nproc) + 2) --dist loadfile --no-loadscope-reorder

.PHONY: help setup hub hub5 test cluster-tools cluster soak test-python lint lock schema bench screenshots plots clean

help: ## this list
	@awk -F ' *## *' '/^[a-z0-9-]+:.*## /{split($$1, t, ":"); printf "  make %-13s %s\n", t[1], $$2}' $(MAKEFILE_LIST)

setup: ## build .venv and node_modules; seconds when done (PYTHON=python3.13 picks another Python)
	@$(SETUP)

hub: setup ## start the hub, the pool and TensorBoard on this machine (LABPOOL_DATA names the data folder)
	@$(RUN) $(BIN)/labpool run

hub5: ## build .venv-hub5, where the tests find the older JupyterHub
	@$(SETUP) --venv .venv-hub5 --lock hub5

test: setup hub5 ## run the tests, and say what was left out and why (CI=true leaves out no test)
	@$(CI_BUILDS)
	@$(RUN) python -m pytest $(SIDE_BY_SIDE) --durations=20

cluster-tools: ## build Kubernetes, etcd, KWOK and Kueue for the tests on a cluster; once, 15 minutes, takes Go 1.26
	@python3 -m tools.cluster_tools

cluster: setup cluster-tools ## start a throw-away Kubernetes cluster with Kueue and fake GPU nodes (NODES=4 GPUS=8)
	@$(RUN) python -m tools.cluster $(if $(NODES),--nodes $(NODES)) $(if $(GPUS),--gpus $(GPUS))

soak: setup hub5 ## run the long forms of the tests too
	@$(RUN) python -m pytest $(SIDE_BY_SIDE) --soak

test-python: ## run the quick tests and start the lab on the oldest and newest Python (PYTHON=python3.12: on that one)
	@python3 tools/test_pythons.py $(PYTHON)

lint: setup ## check format, rules, types, layers, sizes, and that no lock file names an address
	@$(RUN) python tools/lint.py

lock: setup ## write requirements/*.txt and package-lock.json anew (UPGRADE=1: with the newest versions)
	@$(RUN) $(LOCK) requirements/uv.in -o requirements/uv.txt
	@$(RUN) $(LOCK) requirements/node.in -o requirements/node.txt
	@$(RUN) $(LOCK) requirements/cpu.in $(ALL) -o requirements/cpu.txt
	@$(RUN) $(LOCK) requirements/cuda.in $(ALL) -c requirements/cpu.txt -o requirements/cuda.txt
	@$(RUN) $(LOCK) requirements/hub5.in pyproject.toml --extra hub --extra test -o requirements/hub5.txt
	@$(RUN) npm install --package-lock-only --no-audit --no-fund --loglevel=error

schema: setup ## write the JSON Schema of pool.yaml, and its reference in docs/configuration.md
	@$(RUN) labpool schema > hub_config/pool.schema.json
	@$(RUN) labpool reference docs/configuration.md

bench: setup ## run every benchmark and write docs/benchmarks.md; up to 10 minutes each
	@$(RUN) python tools/bench.py

screenshots: setup ## take the README's pictures of the real pages, into docs/images; three minutes
	@$(RUN) python -m tools.screenshots

plots: setup ## draw the pictures of docs/how-the-pool-decides.md, into docs/images; half a minute
	@$(RUN) PYTHONPATH=tools python -m plots

clean: ## remove what setup and the tools made; data folders of the hub stay
	rm -rf .venv .venv-3.* .venv-hub5 node_modules build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
