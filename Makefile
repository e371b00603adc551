# Two commands do all the set-up: `make quickstart` and `make test`.

PYTHON ?= python3
BIN := .venv/bin
RUN := runs/quickstart
MODEL ?=
PROMPTS ?=
WORLD ?=

.PHONY: quickstart world test attacks docs dist clean

.venv/.lidr: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --disable-pip-version-check -q -e .
	touch $@

.venv/.dev: .venv/.lidr
	$(BIN)/pip install --disable-pip-version-check -q -e '.[dev]'
	touch $@

# Without MODEL: the shipped example, from its recorded completions. With MODEL=<directory or Hub id>: the same prompts on
# that model, through a vLLM server that lidr starts; PROMPTS=4: the first four of them.
ifeq ($(MODEL),)
quickstart: .venv/.lidr
	$(BIN)/lidr store import $(RUN) examples/quickstart/completions.jsonl
	$(BIN)/lidr build-pairs examples/quickstart/lidr.yaml
else
quickstart: .venv/.lidr
	$(BIN)/lidr env create vllm
	$(BIN)/lidr build-pairs examples/quickstart/lidr.yaml 'model_name_or_path=$(MODEL)' \
	  'engine={backend: vllm, concurrency: 64, args: {max_model_len: 4096, enforce_eager: true}}' output_dir=$(RUN)-model \
	  $(if $(PROMPTS),max_prompts=$(PROMPTS))
endif

# The proof in a small world: M0 (shipped), two rounds, three controls, and what each gets right. Resumed by the same command.
# WORLD="--seed 1" for another world, whose M0 is trained first (examples/world/prove.py --help).
world: .venv/.lidr
	$(BIN)/pip install --disable-pip-version-check -q -e '.[transformers]'
	$(BIN)/lidr env create train
	$(BIN)/python examples/world/prove.py runs/world $(WORLD)

# Format, lint, types, then every test; those that want an environment or a checkpoint which is not there say so and skip.
test: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist worksteal

# The attacks alone. Many of them wait more than they work, so there is one process more than this machine has cores.
attacks: .venv/.dev
	$(BIN)/python -m pytest -n $$(($$(nproc) + 1)) --dist worksteal tests/attacks

# What is made from the code, then the site, with every link in it checked: build/docs/site/index.html.
docs: .venv/.dev
	$(BIN)/python -m docs.generate
	$(BIN)/python -m docs.site

# Wheel and sdist, as an index takes them; `python -m docs.release 0.2.0` cuts the version before.
dist: .venv/.dev
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
