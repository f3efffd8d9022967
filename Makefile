# `make app` and `make test` each do all their own set-up in .venv; a second run starts at once.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python

.PHONY: app test test-browser check format quickstart bench docs clean

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

PIP := $(RUN) -m pip install --disable-pip-version-check -q
# What is locked, each file with its hash; then torch, whose build a machine chooses (see tools/lock.sh).
$(VENV)/.app: $(VENV)/bin/python requirements.lock requirements.txt pyproject.toml
	$(PIP) --require-hashes --no-deps -r requirements.lock
	$(PIP) "$$(grep '^torch==' requirements.txt)"
	$(PIP) --no-deps -e .
	$(RUN) -m leffa.cli download --what people
	@touch $@

# One more call, so that one resolver sees every pin.
$(VENV)/.dev: $(VENV)/.app
	$(PIP) -r requirements.txt -e ".[dev,train]"
	@touch $@

app: $(VENV)/.app
	$(RUN) app.py $(ARGS)

test: $(VENV)/.dev
	$(RUN) -m pytest -n logical --maxprocesses 8 --dist loadfile $(ARGS)

test-browser: $(VENV)/.dev
	@sh tests/browser/ensure_chromium.sh
	$(RUN) -m pytest -m browser -n logical --maxprocesses 2 $(ARGS)

check: $(VENV)/.dev
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(RUN) tools/check_supply.py

format: $(VENV)/.dev
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

# From nothing to a model that visibly learns the flow: synthetic people, then 300 steps. RUNS says where.
RUNS ?= runs/quickstart
quickstart: $(VENV)/.dev
	$(VENV)/bin/leffa synth --packed --count 2000 --reuse 5 --size 128x96 --out $(RUNS)/people
	$(VENV)/bin/leffa synth --packed --count 64 --split test --size 128x96 --out $(RUNS)/held-out
	$(VENV)/bin/leffa train --preset quickstart --start nothing --vae checkpoints/bundled/vae --cache-latents \
		--data packed:$(RUNS)/people --held-out packed:$(RUNS)/held-out --run $(RUNS)/run
	@echo "Look at $(RUNS)/run/samples: reference, masked person, result, truth, warped by the model, by the truth."

# Every benchmark and tool in its quickest form: that they run, not what they measure; so two at a time.
SCRIPTS := $(filter-out tools/bake_body.py tools/chromium.py tools/docstring_lists.py tools/extra.py, $(wildcard benchmarks/*.py tools/*.py))
bench: $(VENV)/.dev
	@printf '%s\n' $(SCRIPTS) | OMP_NUM_THREADS=1 xargs -P 2 -I SCRIPT sh -c \
		'out=$$($(RUN) SCRIPT --quick 2>&1); status=$$?; printf "== %s\n%s\n" SCRIPT "$$out"; exit $$status'

# The guides as pages in site/; a broken link is an error.
$(VENV)/.docs: $(VENV)/bin/python pyproject.toml
	$(RUN) -m pip install --disable-pip-version-check -q $$($(RUN) tools/extra.py docs)
	@touch $@

docs: $(VENV)/.docs
	$(RUN) -m mkdocs build --strict

clean:
	rm -rf $(VENV) site .pytest_cache .mypy_cache .ruff_cache
