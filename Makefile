# `make reproduce-table4`, its siblings and `make test` say it all. Each makes what it needs.
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready

DOCS := NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict

flag = $(if $($(1)),--$(2)="$($(1))")
TABLE_FLAGS = $(call flag,DATA_DIR,raw_dir) $(call flag,PRESET,preset) $(call flag,SEEDS,seeds) \
	$(call flag,EPOCHS,epochs) $(call flag,ROWS,rows) $(call flag,OUT_DIR,out_dir) \
	$(call flag,PARALLEL_RUNS,parallel_runs) \
	$(call flag,VALIDATION_FRACTION,validation_fraction)

.DEFAULT_GOAL := help
.PHONY: help install reproduce-table1 reproduce-table2 reproduce-table3 reproduce-table4 \
	reproduce-dephn-table1 reproduce-dephn-table2 reproduce-dephn-criteo reproduce-dephn-figures \
	leaderboard benchmark-models study-dcrnn smoke test test-slow lint format docs benchmark benchmark-quick \
	benchmark-gpu rehearse-full lint-style lint-types lint-docs clean

help:  ## List the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 26
	@echo "Variables of the tables: DATA_DIR= PRESET=small|smoke SEEDS= EPOCHS= ROWS= OUT_DIR="

install: $(READY)  ## Create the environment in .venv

$(READY): setup.cfg pyproject.toml $(wildcard dcrnn_tf/kernels/*.cc dcrnn_tf/kernels/*.h)
	$(PYTHON) -c 'import sys; (3, 10) <= sys.version_info[:2] <= (3, 13) or sys.exit( \
		"Python 3.10 to 3.13 is needed, this is " + sys.version); import venv'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet --editable '.[test,docs,beam]'
	$(RUN) -m dcrnn_tf.kernels
	touch $(READY)

reproduce-table1: $(READY)  ## DCRNN's Table 1; simulated data, or your own log in DATA_DIR
	$(RUN) -m experiments.reproduce --table=table1 $(TABLE_FLAGS)

reproduce-table2: $(READY)  ## DCRNN's Table 2; simulated data, or your own log in DATA_DIR
	$(RUN) -m experiments.reproduce --table=table2 $(TABLE_FLAGS)

reproduce-table3: $(READY)  ## DCRNN's Table 3: parameters, online experiment on simulated users
	$(RUN) -m experiments.dcrnn.online $(TABLE_FLAGS)

reproduce-table4: $(READY)  ## DCRNN's Table 4; on simulated data unless DATA_DIR is given
	$(RUN) -m experiments.reproduce --table=table4 $(TABLE_FLAGS)

reproduce-dephn-table1: $(READY)  ## DEPHN's Table I; simulated data unless DATA_DIR is given
	$(RUN) -m experiments.reproduce --table=dephn_table1 $(TABLE_FLAGS)

DEPHN_TABLE_2 := dephn_table2_ali_ccp,dephn_table2_wechat
DEPHN_CRITEO := dephn_criteo_ur,dephn_criteo_r

reproduce-dephn-table2: $(READY)  ## DEPHN's Table II; real data: DATA_DIR/ali_ccp and /wechat
	$(RUN) -m experiments.reproduce --table=$(DEPHN_TABLE_2) $(TABLE_FLAGS)

reproduce-dephn-criteo: $(READY)  ## DEPHN beside MMoE on Criteo-UR and Criteo-R
	$(RUN) -m experiments.reproduce --table=$(DEPHN_CRITEO) $(TABLE_FLAGS)

reproduce-dephn-figures: $(READY)  ## DEPHN's Figures 3 to 7 as PNG, SVG and one HTML page
	$(RUN) -m experiments.dephn.figures $(call flag,DATA_DIR,raw_dir) \
		$(call flag,PRESET,preset) $(call flag,OUT_DIR,out_dir)

leaderboard: $(READY)  ## Every model on one dataset: DATA_DIR=, or simulated Ali-CCP; MODELS=
	$(RUN) -m experiments.leaderboard $(TABLE_FLAGS) $(call flag,MODELS,models)

benchmark-models: $(READY)  ## Tuned models by equal budgets: DATA= or PRESET=; MODELS= TRIALS= SEEDS=
	$(RUN) -m experiments.benchmark_models $(call flag,DATA,data) $(call flag,MODELS,models) \
		$(call flag,TRIALS,trials) $(call flag,SEEDS,seeds) $(call flag,EPOCHS,epochs) \
		$(call flag,PATIENCE,patience) $(call flag,PRESET,preset) $(call flag,OUT_DIR,out_dir) \
		$(call flag,PARALLEL_RUNS,parallel_runs)

study-dcrnn: $(READY)  ## DCRNN's claims tested on simulated data, a figure and a verdict each
	$(RUN) -m experiments.dcrnn.study $(call flag,PRESET,preset) $(call flag,OUT_DIR,out_dir)

SMOKE := reproduce-table1 reproduce-table2 reproduce-table3 reproduce-table4 study-dcrnn \
	reproduce-dephn-table1 reproduce-dephn-table2 reproduce-dephn-criteo reproduce-dephn-figures \
	leaderboard benchmark-models

smoke: $(READY)  ## Every table, figure and study in its shortest form
	for target in $(SMOKE); do $(MAKE) $$target PRESET=smoke || exit 1; done

test: lint  ## Lint and tests
	$(RUN) -m pytest

test-slow: $(READY)  ## Tests that take minutes
	$(RUN) -m pytest -m slow

lint: $(READY)  ## Check style, types, and the documentation with its links
	$(MAKE) --jobs=2 lint-style lint-types lint-docs

lint-style:
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

lint-types:
	$(RUN) -m mypy

lint-docs:
	$(DOCS)

docs: $(READY)  ## Build the documentation as a site in site/
	$(DOCS)

format: $(READY)  ## Set the code in the house's style
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

PEERS := merlin torch_rechub deepctr
PEERS_DIR ?= .peers
PEERS_PYTHON ?= python3.11

benchmark: $(READY) $(PEERS:%=$(PEERS_DIR)/%/.ready)  ## Speeds beside naive Keras and other libraries
	$(RUN) -m benchmarks.run --peers_dir=$(PEERS_DIR)
	$(RUN) -m benchmarks.serving --peers_dir=$(PEERS_DIR)

benchmark-quick: $(READY)  ## The same in some minutes, without other libraries
	$(RUN) -m benchmarks.run --quick --out_dir=runs/benchmark-quick
	$(RUN) -m benchmarks.serving --quick --out_dir=runs/benchmark-quick

benchmark-gpu: $(READY)  ## Training steps on a CUDA GPU, within 40 minutes
	$(RUN) -m benchmarks.gpu

rehearse-full: $(READY)  ## Ali-CCP in its full size, simulated: 80 GB of disk, hours
	$(RUN) -m experiments.rehearse $(call flag,PRESET,preset) $(call flag,OUT_DIR,out_dir)

$(PEERS_DIR)/%/.ready: benchmarks/peers/%.txt
	$(PEERS_PYTHON) -m venv $(PEERS_DIR)/$*
	$(PEERS_DIR)/$*/bin/python -m pip install --quiet --requirement $<
	touch $@

clean:  ## Remove runs and made data, keep the environment
	rm -rf runs data
