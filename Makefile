# Both commands make their own virtual environment and install all they need; nothing but CPython is expected.
PYTHON ?= python3
VENV ?= .venv
# Tests that run at a time: each worker holds up to 4 GB.
WORKERS ?= 2
INSTALLED := $(VENV)/.installed

.PHONY: demo test clean

demo: $(INSTALLED)
	$(VENV)/bin/python tools/demo.py

test: $(INSTALLED)
	$(VENV)/bin/python -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_FLAGS)

# pip's success is no proof that a set of packages works together: import them.
$(INSTALLED): setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	$(VENV)/bin/python -c 'import tf2gan.data.load, tf2gan.gans, tensorflow_hub'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
