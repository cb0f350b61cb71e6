# All commands make their own virtual environments and install all they need; nothing but CPython is expected.
PYTHON ?= python3
# CUDA=1: an environment with CUDA's libraries, for a GPU.
CUDA ?=
# TensorFlow 2.15 with tensorflow-addons (on Python 3.12 and newer, where addons cannot be had, as LATEST).
VENV ?= .venv$(if $(CUDA),-cuda)
# The newest TensorFlow, with Keras 3.
LATEST ?= .venv-latest
# Tests that run at a time: each worker holds up to 4 GB.
WORKERS ?= 2
# A file of tests stays on one worker, for what its tests share; tests/conftest.py tells which files come first, and
# which only --all runs.
PYTEST = -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_FLAGS)
comma := ,
PIP := bin/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo docs test test-all test-latest all-default all-latest latest clean

demo: $(VENV)/.installed
	$(VENV)/bin/python tools/demo.py

# Each lane looks whether the other's TensorFlow, where it is installed, reads what this one writes.
python_of = $(if $(wildcard $(1)/.installed),$(abspath $(1)/bin/python))

# Minutes: units, and each protocol once, in process.
test: $(VENV)/.installed
	$(VENV)/bin/python $(PYTEST)

# The same on the newest TensorFlow.
test-latest: $(LATEST)/.installed
	$(LATEST)/bin/python $(PYTEST)

# Half an hour: also every method through the tools, processes that are killed, several workers, the browser, the
# benchmark; on both stacks, one after the other.
test-all: $(VENV)/.installed $(LATEST)/.installed
	$(MAKE) all-default
	$(MAKE) all-latest

all-default: $(VENV)/.installed
	TF2GAN_OTHER_PYTHON=$(call python_of,$(LATEST)) \
	$(VENV)/bin/python $(PYTEST) --all

all-latest: $(LATEST)/.installed
	TF2GAN_OTHER_PYTHON=$(call python_of,$(VENV)) \
	$(LATEST)/bin/python $(PYTEST) --all --second-stack

# The pages as a site that works from disk, with search: site/index.html. A warning is an error.
docs: .venv-docs/.installed
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --quiet --strict

latest: $(LATEST)/.installed

$(VENV)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/$(PIP) --editable '.[test$(if $(CUDA),$(comma)cuda)]'
	$(VENV)/bin/python -c '$(CHECK)'
	touch $@

$(LATEST)/.installed: setup.cfg pyproject.toml .ci/newest_requirements.py
	$(PYTHON) -m venv $(LATEST)
	$(LATEST)/bin/python .ci/newest_requirements.py > $(LATEST)/requirements.txt
	$(LATEST)/$(PIP) --requirement $(LATEST)/requirements.txt
	$(LATEST)/$(PIP) --no-deps --editable .
	$(LATEST)/bin/python -c '$(CHECK)'
	touch $@

.venv-docs/.installed: setup.cfg
	$(PYTHON) -m venv .venv-docs
	.venv-docs/$(PIP) $$(sed -n '/^docs =/,/^#/{s/^    //p}' setup.cfg | tr -d ' ')
	touch $@

# pip's success is no proof that a set of packages works together: import them.
CHECK := import tf2gan.data.load, tf2gan.gans, tensorflow_hub

clean:
	rm -rf $(VENV) $(LATEST) build *.egg-info
