# The words that people and CI use; `make` lists them. Each makes the environment it needs, then runs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
REMOTES := .venv-remotes
OLDER := .venv-keras

export PATH := $(CURDIR)/$(BIN):$(PATH)
# DVC's default lies where every user of the machine can write.
export DVC_SITE_CACHE_DIR ?= $(CURDIR)/.dvc/tmp/site-cache

# DVC asks for the user's name. A container may run as a user id that has none.
ifndef USER
export USER := $(or $(shell id -un 2>/dev/null),nobody)
endif

# Each stage is a process of its own: what it imports is compiled once, not each time.
unexport PYTHONDONTWRITEBYTECODE

# A copy of the four published files beside the project serves as the mirror unless another is named.
ifeq ($(FASHION_MNIST_MIRROR),)
ifneq ($(wildcard ../shared/fashion-mnist),)
export FASHION_MNIST_MIRROR := $(abspath ../shared/fashion-mnist)
endif
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help repro verify emulate known ui rollback gate test test-slow test-all faults mutation check own workflow audit demo study bench lock clean

help: ## list these words
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

repro: $(VENV)/run ## run the pipeline: only what changed since the last run; then say what it found
	@python -m pipeline.tools.check
	dvc repro
	@python -m pipeline.tools.summary
	@python -m pipeline.gate.reproduction

verify: $(VENV)/run ## fail unless the committed results are reproduced: bit for bit, or by the gate where bits may differ
	python -m pipeline.gate.reproduction --strict

emulate: $(VENV)/dev ## compute the known answers on emulated CPUs of other kinds; needs qemu-user
	python -m checks.emulation

known: $(VENV)/dev ## note new known answers, after a change of the compute lock or of what computes
	python -m checks.known_answer --write

ui: $(VENV)/run ## open MLflow on 127.0.0.1 and show every run; PORT=5000; FORWARDED=name, if that leads here
	@test -e tracking/mlflow.db || { \
		echo "error: tracking/mlflow.db is missing; expected a run store. Run python -m pipeline.track"; exit 1; }
	@echo "runs: http://127.0.0.1:$(PORT)/#/$$(python -m pipeline.tools.experiment)$(if $(FORWARDED),$(COMMA) and by the name $(FORWARDED))"
	MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow ui --backend-store-uri sqlite:///tracking/mlflow.db --host 127.0.0.1 --port $(PORT) --workers 1 $(if $(FORWARDED),$(NAMED))

# MLflow refuses requests for a name that it does not know, and what the pages of that name ask for.
COMMA := ,
NAMED = --allowed-hosts '127.0.0.1:*,localhost:*,$(FORWARDED),$(FORWARDED):*' \
	--cors-allowed-origins 'http://$(FORWARDED),http://$(FORWARDED):*,https://$(FORWARDED),https://$(FORWARDED):*'
PORT ?= 5000

rollback: $(VENV)/run ## make the previous champion the served model again
	python -m pipeline.tools.rollback

gate: $(VENV)/run ## fail if a model is worse than at BASELINE=revision; default: where this branch left main
	python -m pipeline.gate $(if $(BASELINE),--baseline $(BASELINE))

# Two processes of pytest, each with whole files.
PYTEST = pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test: $(VENV)/dev ## run the tests that guard an edit, in two to four minutes; no network
	$(PYTEST) -m "not slow"

test-slow: $(VENV)/dev $(REMOTES)/ready $(OLDER)/3.8/ready $(OLDER)/3.12/ready ## run the others: servers, a browser, clusters, remotes, kills; no network
	$(PYTEST) -m slow

test-all: test test-slow ## run every test

faults: $(VENV)/dev ## kill and fail the pipeline at many of its writes, and damage its files; needs strace; resumes when stopped
	python -m checks.faults --table docs/reliability.md

mutation: $(VENV)/dev ## change the code at 100 places, one at a time: does a quick test fail? NUMBER=100, SEED=1, SUMMARY=file
	python -m checks.mutation $(if $(NUMBER),--number $(NUMBER)) $(if $(SEED),--seed $(SEED)) $(if $(SUMMARY),--summary $(SUMMARY))

check: $(VENV)/dev ## format, lint and types
	ruff format --check .
	ruff check .
	mypy
	zizmor --offline --quiet --persona auditor .github
	check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml

own: $(VENV)/run ## take Fashion-MNIST out, to begin with images called NAME=...: docs/make-it-yours.md; asks first
	@python -m pipeline.tools.own $(if $(filter command,$(origin NAME)),--name "$$NAME") $(if $(YES),--yes)

workflow: $(VENV)/dev ## run the steps of the CI workflow here, in fresh clones
	python -m checks.workflow

audit: $(VENV)/dev ## look up the locked packages among known vulnerabilities; needs a network
	python -m checks.audit

demo: $(VENV)/run ## run the pipeline on synthetic garments, in .demo, without a network
	python -m pipeline.tools.demo

study: $(VENV)/run ## train each model many times, here or on a Dask cluster; about five hours, resumes when stopped
	dvc repro study/dvc.yaml

bench: $(VENV)/bench data/raw ## time training, the whole pipeline and MLflow, up to an hour; JSON=FILE keeps it all
	python -m benchmarks $(if $(JSON),--json $(JSON))

data/raw:
	$(MAKE) repro

lock: $(VENV)/uv ## resolve the environment anew from pyproject.toml
	$(BIN)/uv pip compile $(COMPILE) --output-file requirements/run.txt pyproject.toml
	printf '%s\n' $(COMPUTES) | $(BIN)/uv pip compile $(COMPILE) $(IDLE:%=--no-emit-package %) \
		--output-file requirements/compute.txt -c requirements/run.txt -
	$(BIN)/uv pip compile $(COMPILE) --output-file requirements/dev.txt --extra dev -c requirements/run.txt pyproject.toml
	printf '%s\n' "dvc[s3,ssh]==$$(sed -n 's/^dvc==\([0-9.]*\).*/\1/p' requirements/run.txt)" 'moto[server]' | \
		$(BIN)/uv pip compile $(COMPILE) --output-file requirements/remotes.txt -
	printf '%s\n' keras==3.8.0 tensorflow-cpu==2.18.0 | \
		$(BIN)/uv pip compile $(COMPILE) --output-file requirements/older/keras-3.8.txt -
	printf '%s\n' keras==3.12.0 tensorflow-cpu==2.20.0 | \
		$(BIN)/uv pip compile $(COMPILE) --output-file requirements/older/keras-3.12.txt -
	echo 'uv' | $(BIN)/uv pip compile $(COMPILE) --output-file requirements/uv.txt -

# What computes the arrays and writes their numbers: a new version of these, or of what they need, trains anew.
COMPUTES := keras numpy pandas pillow scikit-learn scipy tensorflow
# What they need for the network or a terminal alone cannot change a number.
IDLE := certifi charset-normalizer idna markdown-it-py mdurl pygments requests rich urllib3

# One version of each package for every supported Python; hashes, and no address of any index.
COMPILE := --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock"

clean: ## remove the environment and scratch folders; data, models and DVC's cache stay
	rm -rf $(VENV) $(REMOTES) $(OLDER) .demo .bench .faults .mypy_cache .pytest_cache .ruff_cache src/*.egg-info

# uv only makes it faster: `pip install --require-hashes -r requirements/run.txt` does the same.
INSTALL = $(BIN)/uv pip install --quiet --python $(BIN)/python

$(VENV)/uv: requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
		echo "error: $(PYTHON) is $$($(PYTHON) --version 2>&1); expected Python 3.11 to 3.13. Try: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
		echo "error: $(PYTHON) cannot create an environment; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "installing the locked environment into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

$(VENV)/run: $(VENV)/uv requirements/run.txt pyproject.toml
	@$(INSTALL) --require-hashes -r requirements/run.txt
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev: $(VENV)/run requirements/dev.txt
	@$(INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

# DVC with its plug-ins for SSH and S3, in an environment of its own: S3's needs an older python-dateutil than pandas
# and TensorFlow are locked with. It holds moto too, the tests' S3 server.
$(REMOTES)/ready: $(VENV)/uv requirements/remotes.txt
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(REMOTES)
	@$(BIN)/uv pip install --quiet --python $(REMOTES)/bin/python --require-hashes -r requirements/remotes.txt
	@touch $@

# Older releases of Keras, each with a TensorFlow of its time, in which archives must load. TensorFlow 2.18 has no build
# for Python 3.13. Their test is skipped where they cannot be installed.
$(OLDER)/%/ready: $(VENV)/uv requirements/older/keras-%.txt
	@mkdir -p $(OLDER)
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(OLDER)/$* && \
		$(BIN)/uv pip install --quiet --python $(OLDER)/$*/bin/python --require-hashes -r requirements/older/keras-$*.txt || \
		{ rm -rf $(OLDER)/$*; mkdir -p $(OLDER)/$*; echo "Keras $* cannot be installed here; its test is skipped"; }
	@touch $@

# PyTorch serves the benchmark alone, hence no lock holds it. On Linux, PyPI's build needs 2 GB of CUDA packages: without
# them it does not start. Where pip knows an index with the build for CPUs, as by PIP_EXTRA_INDEX_URL, pip prefers that.
$(VENV)/bench: $(VENV)/run
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	@touch $@
