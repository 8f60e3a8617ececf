# medassist: `make help` lists what there is.
#
# One environment, .venv, and stamp files in it, so that a second call starts at
# once. Paths are relative throughout: the clone may lie in a folder with a space.

PYTHON ?= python3
CONSTRAINTS ?= constraints.txt
# Which build of torch the tests get: auto, cpu, plain (see tools/install_torch.py).
TORCH ?= auto
# Ready wheels of llama-cpp-python instead of compiling: cpu, metal, cu124, ...
WHEELS ?=
# More arguments for pytest or for the benchmarks: make test ARGS="-k guard -x"
ARGS ?=
# Whether the base of the default pair is fetched, 93 MB: yes, no.
BASE ?= yes
# Processes that run tests side by side (auto: three for two cores); 0: none beside this
# one, to debug in.
JOBS ?= auto

export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PYTHONUNBUFFERED = 1

VENV := .venv
PY := $(VENV)/bin/python
STAMPS := $(VENV)/stamps
INSTALL := $(PY) -m pip install --quiet --constraint $(CONSTRAINTS)

.PHONY: help run install base ollama test dev lint format bench oracles soak constraints \
  clean

help:  ## list the targets
	@echo "make TARGET, where TARGET is:"
	@sed -n 's/^\([a-z]*\):.*##/  \1\t/p' Makefile | expand -t 16

run: install base  ## install what the app needs (no torch) and open it; BASE=no
	@$(PY) -m medassist $(ARGS)

install: $(STAMPS)/install  ## install what the app needs, and stop there

base: $(if $(filter no,$(BASE)),,$(STAMPS)/base)  ## fetch the default pair's base, 93 MB

ollama: dev  ## merge the default pair into one GGUF, prove it, make it a model in Ollama
	@$(PY) -m tools.make_ollama

# A file stays in one process: what it sets up is made once; which comes first says
# tests/conftest.py. One thread each for torch, since more would wait for each other.
test: dev  ## install what the tests need and run all of them; TORCH=cpu|plain JOBS=N
	OMP_NUM_THREADS=1 $(PY) -m pytest --numprocesses $(JOBS) --dist loadfile \
	  --no-loadscope-reorder $(ARGS)

dev: $(STAMPS)/dev base  ## install what the tests need, and stop there

lint: dev  ## ruff check, ruff format --check, the arrows between rooms, pyright
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(VENV)/bin/lint-imports --no-cache
	$(PY) -m pyright

format: dev  ## let ruff repair and format the code
	$(PY) -m ruff check --fix
	$(PY) -m ruff format

bench: dev  ## measure speed and memory on this machine; wants it quiet
	$(PY) -m benchmarks $(ARGS)

oracles: dev  ## compare with other programs' code, which is downloaded
	$(PY) -m pytest -m oracle $(ARGS)

# pytest ends with 5 where it found no test of that mark; the sentence says so.
soak: dev  ## the long runs of the fault tests
	@$(PY) -m pytest -m soak $(ARGS) || { code=$$?; [ $$code -eq 5 ] || exit $$code; \
	  echo "There is no soak test yet: nothing was tried."; }

constraints: dev  ## write the versions in .venv to constraints.txt
	$(PY) tools/write_constraints.py

clean:  ## remove the environment and what the tools left behind
	rm -rf $(VENV) .pytest_cache .ruff_cache build dist snapshot_report.html
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMPS)/venv:
	@$(PYTHON) tools/check_system.py $(if $(WHEELS),--no-compiler)
	@echo "Making the environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/llama: $(STAMPS)/venv $(CONSTRAINTS)
	@$(PY) -m tools.install_llama $(CONSTRAINTS) $(WHEELS)
	@touch $@

$(STAMPS)/install: $(STAMPS)/llama pyproject.toml
	@echo "Installing medassist"
	@$(INSTALL) --editable '.[records]'
	@touch $@

# The stamp says that it was fetched once: what a user has removed stays away. Without
# network nothing fails: the program says which pair it opens, and the next call tries.
$(STAMPS)/base: $(STAMPS)/install medassist/starter/base.requirements.txt
	@echo "Fetching the base of the default pair (93 MB, once; BASE=no leaves it out)"
	@$(PY) -m medassist starter get && touch $@ || [ $$? -ne 130 ]

# torch first: what depends on it would otherwise bring a build of its own choice.
$(STAMPS)/torch: $(STAMPS)/venv $(CONSTRAINTS)
	@$(PY) -m tools.install_torch $(CONSTRAINTS) $(TORCH)
	@touch $@

$(STAMPS)/dev: $(STAMPS)/install $(STAMPS)/torch
	@echo "Installing what the tests need"
	@$(INSTALL) --editable '.[all,dev]'
	@touch $@
