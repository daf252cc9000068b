# `make book` and `make test` each work alone on a fresh clone: both make .venv first.
.DEFAULT_GOAL := help
PYTHON ?= python3
PRESET ?= laptop
PY ?= python3
BUNDLE ?= _build/gpu
MINUTES ?= 9
BARE := _build/without-solutions
BIN := .venv/bin
READY := .venv/ready

book slides test: export TQDM_DISABLE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# UNPINNED=yes takes the newest versions, to see what will break next.
ifeq ($(UNPINNED),yes)
PACKAGES = $$(sed -E 's/ *\#.*//; s/==.*//; s/^jupyter-book$$/&<2/' requirements.txt)
else
PACKAGES = -r requirements.txt -c constraints.txt
endif

TABLES := table-1 table-2 table-3

.PHONY: help book slides pdf student instructor nbgrader test data dry-run records $(TABLES) tables bench gpu-bundle gpu-records merge-records clean

help:  ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

$(READY): requirements.txt constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'This needs Python 3.11 or newer. Name yours: make PYTHON=python3.12 …' >&2; \
	  exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet $(PACKAGES)
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

# A page that was read once isn't warned about again, so a failure forgets the pages.
define BUILD
$(BIN)/jupyter-book build . -W --keep-going || { rm -rf _build/.doctrees; exit 1; }
endef

# The book without solutions has a place of its own, and what it mustn't hold is looked for.
ifeq ($(SOLUTIONS),no)
book: $(READY)
	LSMTL_SOLUTIONS=no $(BIN)/jupyter-book build . -W --keep-going \
	  --path-output $(BARE) || { rm -rf $(BARE)/_build/.doctrees; exit 1; }
	$(BIN)/python -m classroom check $(BARE)/_build/html
else
book: export LSMTL_SOLUTIONS := $(SOLUTIONS)
book: $(READY)  ## build the book: _build/html/index.html (SOLUTIONS=no: without them)
	$(BUILD)
endif

slides: $(READY)  ## slides for lectures, a deck a part: _build/slides/index.html
	$(BIN)/python -m classroom.slides

pdf: BUILT = $(if $(filter no,$(SOLUTIONS)),$(BARE)/)_build
pdf: book  ## the book as one PDF: _build/deep-lsmtl.pdf (SOLUTIONS=no: without them)
	$(BIN)/python -m publishing $(BUILT)/html $(BUILT)/deep-lsmtl.pdf

# Chapters run in the first pytest, book and slides show what they gave, the last one reads them.
test: export OMP_NUM_THREADS := 1
test: export LSMTL_PRESET :=
ifneq ($(wildcard ../shared/data/cache),)  # the on-demand files, where they lie beside
test: export LSMTL_DATA ?= $(abspath ../shared/data/cache)
endif
test: $(READY)  ## check style, package, chapters, book and pages
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pytest -n 2 --dist worksteal --ignore tests/site
	$(BIN)/python scripts/dry_run.py --essential
	$(BUILD)
	$(BIN)/python -m classroom.slides
	$(BIN)/pytest tests/site

data: $(READY)  ## get the on-demand datasets, or prepare D-GEX's files: DGEX=folder
	$(BIN)/python -m lsmtl.data $(if $(DGEX),--dgex "$(DGEX)" \
	  $(if $(CONVENTIONS),--conventions $(CONVENTIONS)) \
	  $(if $(OUTPUT),--output "$(OUTPUT)"))

dry-run: $(READY)  ## try preset paper on small simulated originals, all pages
	$(BIN)/python scripts/dry_run.py

records: $(READY)  ## make the run records that are missing (PRESET=laptop EXPERIMENT=…)
	LSMTL_RECORDS=book/records $(BIN)/python -m lsmtl.lab --preset $(PRESET) \
	  $(if $(EXPERIMENT),--experiment $(EXPERIMENT)) \
	  $(if $(DATASET),--dataset $(DATASET)) $(if $(WORKERS),--workers $(WORKERS))
	$(BIN)/python scripts/make_figure.py

$(TABLES): $(READY)
	$(MAKE) records EXPERIMENT=$@

tables: $(TABLES)  ## make the records of the paper's tables, or of one: table-1, 2, 3

bench: $(READY)  ## measure the core against others and file the records
	LSMTL_RECORDS=book/records $(BIN)/python -m benchmarks

gpu-bundle: PRESET = gpu
gpu-bundle: $(READY)  ## write what a GPU machine needs: _build/gpu (ONLY="names")
	LSMTL_RECORDS=book/records $(BIN)/python -m lsmtl.lab.gpu bundle $(BUNDLE) \
	  --preset $(PRESET) $(if $(ONLY),--only $(ONLY))

# Without .venv: PY is a Python with PyTorch, NumPy, pandas, SciPy and scikit-learn.
gpu-records:  ## there, make what is due: OUT=folder (MINUTES=9 PY=python3 BUNDLE=…)
	$(if $(OUT),,$(error OUT is missing, the folder for the records: make $@ OUT=…))
	@exec env TQDM_DISABLE=1 $(PY) -m lsmtl.lab.gpu run "$(BUNDLE)" "$(OUT)" $(MINUTES)

merge-records: $(READY)  ## check records from there and file them: FILE="files"
	$(if $(FILE),,$(error FILE is missing, what gpu-records made: make $@ FILE=…))
	LSMTL_RECORDS=book/records $(BIN)/python -m lsmtl.lab.gpu merge $(FILE)

student instructor nbgrader: export LSMTL_PRESET :=
student instructor nbgrader: $(READY)
	$(BIN)/python -m classroom $@

student:  ## write the students' notebooks, without solutions: _build/student.zip
instructor:  ## write them with solutions, outputs, notes: _build/instructor.zip
nbgrader:  ## write the exercises as assignments for nbgrader: _build/nbgrader

clean:  ## remove what was built, but not .venv
	rm -rf _build
