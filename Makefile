# Face Studio. `make` alone says what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CORES := -n auto --maxprocesses 4 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help setup demo run test lint

help:
	@echo "make demo    restore a degraded portrait and show what is left of the person (sets up first)"
	@echo "make run     open the window (sets up first)"
	@echo "make test    run the tests (sets up first)"
	@echo "make lint    check style, types and floors (sets up first)"
	@echo "make setup   only set up .venv; PYTHON=python3.12 chooses another Python"

setup: $(READY)
	@echo "Face Studio is set up in $(VENV)."

# made once, and again when what is needed changes
$(READY): pyproject.toml constraints.txt tools/setup_environment.py
	@command -v $(PYTHON) >/dev/null || { echo "Python is missing: there is no $(PYTHON). Install Python 3.11 or newer (Debian: sudo apt install python3 python3-venv)."; exit 1; }
	@$(PYTHON) tools/setup_environment.py $(VENV)
	@touch $@

demo: $(READY)
	@$(BIN)/python examples/demo.py

run: $(READY)
	@$(BIN)/python tools/check_system.py --window
	@$(BIN)/python -m facestudio

# Without Qt's system libraries the window's tests cannot run: say so and run the others, unless they are required.
test: $(READY)
	@if $(BIN)/python tools/check_system.py; then \
		QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest $(CORES); \
	elif [ -n "$$FACESTUDIO_WINDOW_TESTS" ]; then \
		exit 1; \
	else \
		$(BIN)/python -m pytest $(CORES) -p no:pytest-qt -W ignore::pytest.PytestConfigWarning -o addopts="-ra --strict-markers" --ignore=tests/gui && \
		echo "The window's tests were LEFT OUT, because Qt cannot start here (see above)."; \
	fi

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
