# make hints              what the history of a repository says about the changes at hand (REPO=/path, DIFF=1)
# make test               set up, lint, check types, run every test
# make help               the rest
#
# Everything lives in .venv and node_modules; nothing outside this folder is touched, but for Debian packages when root runs
# `make test`, a user "pgserver" that PostgreSQL then runs as in the tests, and the VS Code workbench and the Node that its tests
# need: scripts/workbench.sh keeps these in your cache folder.

PYTHON ?= python3
VENV ?= .venv
REPO ?= .
ARGS ?=
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1); [ "$$n" -gt 7 ] && echo 8 || echo $$((n + 1)))
BIN := $(VENV)/bin
export PYTHON VENV

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help hints test check lint format settings types pytest extension page web vsix train wheel dist docs benchmarks clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

hints: $(VENV)/.runtime ## Similar past edits and what is likely to come next (REPO=/path, DIFF=1, ARGS="-k 20")
	@$(BIN)/codewm hints -C "$(REPO)" $(if $(DIFF),--diff) $(ARGS)

test: check pytest extension web ## Lint, types and all tests; sets up what they need

check: lint types ## Lint and types

lint: $(VENV)/.tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.tests ## Lay out the code and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

settings: $(VENV)/.tests ## Write the tables of settings, from codewm_lsp/server/options.py
	$(BIN)/python scripts/settings.py

types: $(VENV)/.tests
	$(BIN)/mypy -p codewm_lsp -p codewm_model -p codewm_export -p benchmarks

pytest: $(VENV)/.tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

extension: $(VENV)/.tests wheel ## Test the VS Code extension, in the real workbench
	@sh scripts/extension.sh test

page: $(VENV)/.runtime ## Build the page that shows the model at work into build/site/page (needs Node and npm)
	@sh scripts/web.sh page

web: $(VENV)/.tests ## Test what is in web/: the model in a browser against Python, and its page in Chromium
	@sh scripts/web.sh test

vsix: ## Build vscode-extension/codewm.vsix (needs Node and npm only)
	@sh scripts/vsix.sh

train: $(VENV)/.tests ## Train on a repository (REPO=/path OUTPUT=folder ARGS="--preset local")
	$(BIN)/codewm-train "$(REPO)" --output "$(or $(OUTPUT),runs/local)" $(ARGS)

benchmarks: $(VENV)/.tests ## Measure against the budgets (REPO=/path)
	$(BIN)/python -m benchmarks "$(REPO)" $(ARGS)

wheel: $(VENV)/.runtime ## Build dist/*.whl
	@rm -rf build/lib build/bdist.* dist
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	@ls -l dist

dist: $(VENV)/.dist ## Build dist/*.whl and dist/*.tar.gz, as they are published
	@rm -rf build/lib build/bdist.* dist
	$(BIN)/python -m build --outdir dist .
	@ls -l dist

docs: $(VENV)/.docs ## Build the documentation's site into build/site
	@$(BIN)/python scripts/site.py
	$(BIN)/zensical build --strict --config-file mkdocs.yml

clean: ## Remove everything that was built or set up
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	cd vscode-extension && rm -rf node_modules dist dist-test server test-results *.vsix
	rm -rf web/*/node_modules web/*/dist neovim/doc/tags
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.runtime: pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh runtime
	@touch $@

$(VENV)/.docs $(VENV)/.dist: $(VENV)/.%: pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh $*
	@touch $@

$(VENV)/.tests: pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh tests
	@touch $@ $(VENV)/.runtime
