# make run: set up and run a simulation. make test: set up and test. make check: everything that CI checks.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
export OMP_NUM_THREADS ?= 1

.PHONY: run test quick slow ray tracking models notebook lint format types budget check release-check

run: $(VENV)/.run
	$(BIN)/fedmed run

# one process per core, four at most; a test is no faster for more, and each imports torch
test: $(VENV)/.test
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist worksteal

# the tests of what changed, by who imports whom; BASE=<branch or commit> compares with another than main
quick: $(VENV)/.test
	$(BIN)/python -m tools.quick $(if $(BASE),--base $(BASE))

slow: $(VENV)/.test
	$(BIN)/python -m pytest -q -m slow

# Ray's wheels lag behind new versions of Python, so that only CI and whoever asks for it installs Ray
ray: $(VENV)/.test
	$(PIP) -e '.[test,ray]'

# trackers, and what MLflow's server takes beside its client: for the tests that tell them of runs
tracking: $(VENV)/.test
	$(PIP) -e '.[test,mlflow,wandb]' aiohttp flask flask-cors pandas

# libraries whose networks and weights are used; torchvision, which timm asks for, breaks beside a CPU build of torch
models: $(VENV)/.test
	$(PIP) --no-deps timm
	$(PIP) huggingface_hub

# a kernel, for the test that runs the notebooks of examples/ in one
notebook: $(VENV)/.test
	$(PIP) -e '.[test]' ipykernel nbclient

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# both, as each sees what the other does not; without the variable pyright asks the package index for news of itself
types: export PYRIGHT_PYTHON_IGNORE_WARNINGS = 1
types: $(VENV)/.test
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

budget: $(VENV)/.test
	$(BIN)/python -m benchmarks.code_budget

check: lint types test slow

# sdist and wheel in dist/, after an installation of them elsewhere has run
release-check: $(VENV)/.test
	$(BIN)/python -m tools.release

# torch comes first and exactly, so that no looser requirement picks another build of it; which build, UV_TORCH_BACKEND says
# (cpu, cu130, ...), as uv knows where each lies: where it is not set, pip takes what its index has. fedmed is what fedmed-sim was
# called in checkouts of before, and would take the command along if it were uninstalled later
$(VENV)/.run: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "fedmed needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(if $(UV_TORCH_BACKEND),$(PIP) uv && $(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt torch==2.13.0,\
		$(PIP) torch==2.13.0)
	$(BIN)/python -m pip uninstall -qq --yes fedmed
	$(PIP) -e .
	@touch $@

$(VENV)/.test: $(VENV)/.run
	$(PIP) -e '.[test]'
	@touch $@
