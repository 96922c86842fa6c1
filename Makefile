# The two commands are `make run` and `make test`; `make help` lists the rest.

SHELL := /bin/sh
.DEFAULT_GOAL := help
ARGS ?=
RUN ?= demo

# Imports without compiled files cost seconds in every job; the others would let another environment's packages in.
unexport PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME VIRTUAL_ENV

# The interpreter that makes .venv: PYTHON=... or the first on PATH that is 3.11-3.13 and can make an environment.
set_up = @sh workflow/find_python.sh "$(PYTHON)" workflow/set_up.py
launch = .venv/bin/python workflow/launch.py
bench_options = $(if $(SIZES),--sizes "$(SIZES)") $(if $(JOBS),--jobs "$(JOBS)") $(if $(PEERS),--peers "$(PEERS)")
bench_options += $(if $(RUNS),--runs $(RUNS))
only_sequence = $(filter sequence,$(JOBS))
only_verdicts = $(filter verdicts,$(JOBS))
all_benchmarks = $(if $(JOBS)$(SIZES)$(PEERS)$(ARGS),,yes)

.PHONY: help run public study verify check test bench format lab lock clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  PYTHON=... chooses the interpreter, RUN=... a run (config/RUN.yaml), ARGS=... further arguments"

run: ## Run the workflow on the simulated surveys of config/demo.yaml (RUN=name for another run)
	$(set_up) run
	@$(launch) --run $(RUN) $(ARGS)
	@$(launch) --headline $(RUN)

public: ## Run the workflow on the real public surveys of config/public.yaml
	@$(MAKE) --no-print-directory run RUN=public

study: ## Run the simulation study of the estimators: results/studies/estimators/study.html
	$(set_up) run
	@$(launch) --run demo $(ARGS) -- study

verify: ## Compare a finished run with its crate and with itself made again, byte for byte (RUN=name, ARGS=--quick)
	$(set_up) run
	@PYTHONPATH=src .venv/bin/python -m backpain.verify $(RUN) $(ARGS)

check: ## Check the declarations of a run without running it (RUN=name)
	$(set_up) run
	@$(launch) --check --run $(RUN) $(ARGS)

test: ## Run every test (ARGS="-k name" for some)
	$(set_up) dev
	@.venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

bench: ## Time our functions beside svy, statsmodels, R, pyseqtarget (SIZES=6000,30000 JOBS=logistic PEERS=svy,R RUNS=7)
	$(set_up) dev
	@$(if $(only_sequence)$(only_verdicts),,.venv/bin/python benchmarks/speed.py $(bench_options) $(ARGS))
	@$(if $(or $(only_sequence),$(all_benchmarks)),.venv/bin/python benchmarks/sequence.py $(if $(RUNS),--runs $(RUNS)))
	@$(if $(or $(only_verdicts),$(all_benchmarks)),.venv/bin/python benchmarks/verdicts.py $(ARGS))

format: ## Put all code into its one layout and mend what can be mended
	$(set_up) dev
	@.venv/bin/ruff format && .venv/bin/ruff check --fix
	@.venv/bin/snakefmt --quiet Snakefile workflow/rules

lab: ## Open the notebooks in JupyterLab
	$(set_up) dev
	@.venv/bin/python -m jupyterlab --notebook-dir=notebooks $(ARGS)

lock: ## Choose the newest package versions that pyproject.toml allows and pin them in requirements*.lock, the peers' too
	$(set_up) run
	@.venv/bin/python workflow/set_up.py lock
	@.venv/bin/python benchmarks/harness/environment.py lock

clean: ## Remove results and caches; keep data and .venv
	@sh workflow/find_python.sh "$(PYTHON)" workflow/launch.py --clean
