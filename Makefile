# Everything a newcomer needs: `make study` and `make test`, each with its own set-up.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
NAME   ?= ml100k_gru
PYTEST := $(BIN)/pytest -n 2 --dist worksteal

.PHONY: study test quick soak lint reference format wheel clean

## study: install, get MovieLens-100K, tune a GRU, open the test set once, export and recommend
study: $(STAMP)
	$(BIN)/reeltune tune experiments/ml100k_gru.yaml --name $(NAME)
	$(BIN)/reeltune evaluate $(NAME)
	$(BIN)/reeltune report $(NAME)
	$(BIN)/reeltune export $(NAME) --out bundles/$(NAME) --force
	$(BIN)/reeltune recommend bundles/$(NAME) --liked "Toy Story (1995)" --liked "Fargo (1996)" -k 10
	@echo
	@echo "study        studies/$(NAME)"
	@echo "report       studies/$(NAME)/report.html"
	@echo "bundle       bundles/$(NAME)"
	@echo "trials       $(BIN)/reeltune trials $(NAME)"
	@echo "dashboard    $(BIN)/reeltune dashboard $(NAME)"

## test: install, then lint, types and the tests; `make soak` has the long rest
test: $(STAMP) lint
	$(PYTEST) -m "not soak"

## quick: the tests that take under two seconds each
quick: $(STAMP)
	$(PYTEST) -m "not slow and not soak"

## soak: clusters, kills, fuzz, benchmarks, browsers and real data, and many more examples of each property
soak: $(STAMP)
	$(PYTEST) -m "soak or hypothesis" --hypothesis-profile=thorough --timeout=1200

## lint: format, rules and types
lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

## reference: the schemas of the YAML files and their reference page, from the config classes
reference: $(STAMP)
	for kind in experiment space benchmark; do $(BIN)/reeltune schema $$kind > schemas/$$kind.json || exit 1; done
	$(BIN)/reeltune schema reference > docs/yaml-reference.md

## wheel: build wheel and sdist, install the wheel into an empty environment and walk through it outside the checkout
wheel:
	rm -rf dist $(VENV)-wheel
	$(PYTHON) -m venv $(VENV)-wheel
	$(VENV)-wheel/bin/python -m pip install --quiet --progress-bar off -c constraints.txt build
	$(VENV)-wheel/bin/python -m build --outdir dist >/dev/null
	$(VENV)-wheel/bin/python -m pip install --quiet --progress-bar off -c constraints.txt dist/*.whl
	.ci/walk "$(abspath $(VENV)-wheel/bin/reeltune)"

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: reeltune needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1); try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@rm -f $(STAMP)
	$(PYTHON) -m venv $(VENV) || { echo "error: cannot create $(VENV); on Debian and Ubuntu install python3-venv first" >&2; exit 2; }
	$(BIN)/python -m pip install --quiet --progress-bar off -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

clean:
	rm -rf $(VENV) $(VENV)-wheel build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
