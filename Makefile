# Everything is installed into the active virtual environment, or else into .venv here.
# A CPU build of torch, much smaller: make demo TORCH=torch==2.13.0 (where an index or a wheel of it is available).
PYTHON ?= python3
VENV   := $(or $(VIRTUAL_ENV),.venv)
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.t2iflow-installed
TORCH  ?=
PROMPT ?= a lighthouse
SIZE   ?= 224x224

.PHONY: demo test golden check dev docs format clean

demo: $(STAMP)          ## make a picture and print where it is
	$(BIN)/t2iflow run hello --prompt "$(PROMPT)" --size $(SIZE)

# A process for each core, each with one thread: threads of several processes would compete.
test: $(STAMP)          ## run the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

golden: $(STAMP)        ## write the plans and error texts that tests compare with; then read `git diff`
	OMP_NUM_THREADS=1 T2IFLOW_GOLDEN=write $(BIN)/python -m pytest -q tests/pipelines/test_plans.py tests/pipelines/test_every_error.py

check: dev              ## format, lint, types, imports between layers, and the words of the glossary
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	MYPYPATH=.typing:. $(BIN)/mypy -p t2iflow -p training --namespace-packages --explicit-package-bases
	MYPYPATH=.typing:.:benchmarks $(BIN)/mypy tools docs benchmarks --explicit-package-bases
	PYTHONPATH=.typing $(BIN)/lint-imports
	$(BIN)/python tools/words.py

dev: $(STAMP) .typing   ## install for development

docs: $(STAMP)          ## write the pages that are made from the code
	$(BIN)/python docs/make.py

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv .typing build *.egg-info

$(STAMP): pyproject.toml
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q $(TORCH) -e '.[dev]'
	touch $@

# Type checkers can't follow an editable install's import hook; these links show them the packages where they import from.
.typing: $(wildcard api/*.py) api/py.typed
	rm -rf .typing
	mkdir -p .typing/t2iflow
	for part in nodes pipelines runner; do ln -sfn ../../$$part .typing/t2iflow/$$part; done
	for file in $^; do ln -sfn ../../$$file .typing/t2iflow/$${file##*/}; done
	touch .typing
