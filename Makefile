# `make help` lists what there is. Each target makes the environment it needs: Python 3.10+ and Java 17+ are enough.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
MATRIX := spark35 spark42
# What may differ between Spark versions: how columns are bound and typed, and what comes back.
MATRIX_TESTS := $(addprefix tests/spark/test_,binding.py types.py results.py missing_values.py score.py map.py) tests/cases

.PHONY: help environment java jvm lint types imports check test matrix demo bench check-bench full lock clean

help: ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

environment: ## .venv with the locked packages and spark-models itself; at once where nothing has changed
	@scripts/environment main

java:
	@scripts/java

lint: environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: environment
	$(BIN)/mypy

imports: environment
	$(BIN)/lint-imports --no-logo

check: lint types imports ## what needs no Spark: lint, types, import rules, unit tests and the docstrings' examples
	$(PYTEST) --doctest-modules spark_models
	$(PYTEST) -m "not spark and not slow"

test: ## check, then the tests on Spark (without Java: skipped, or a failure where CI=true); no slow tests
	@scripts/java || [ "$${CI:-}" != true ]
	@$(MAKE) --no-print-directory check
	@$(MAKE) --no-print-directory jvm # before the tests that compare the JVM's answers with Spark's
	$(PYTEST) -m "spark and not slow"

jvm: ## the Java companion: compiled and tested, and its fat jar (without a JDK: skipped, or a failure where CI=true)
	@if $${JAVA_HOME:+$$JAVA_HOME/bin/}javac -version >/dev/null 2>&1; then \
	    scripts/jvm test assembly; \
	else \
	    echo "SKIPPED: the tests of jvm/, for there is no javac: install a JDK of 17 or newer"; [ "$${CI:-}" != true ]; \
	fi

matrix: environment java ## the tests on Spark again with the oldest and the newest Spark, and a short benchmark
	@for name in $(MATRIX); do \
	    scripts/environment $$name; \
	    echo ".venv-$$name: pyspark $$(.venv-$$name/bin/python -c 'import pyspark; print(pyspark.__version__)')"; \
	    .venv-$$name/bin/python -m pytest -m "not slow" $(MATRIX_TESTS); \
	done
	$(BIN)/python benchmarks/udf.py --short

demo: environment java ## the tour: train, save, score on Spark, verify
	$(BIN)/python notebooks/demo.py

bench: environment java ## the benchmarks
	$(BIN)/python benchmarks/udf.py

bench-serve: environment ## the server beside a bare application; needs wrk
	$(BIN)/python benchmarks/serve.py

check-bench: environment java ## the benchmarks against what they must reach
	$(BIN)/python benchmarks/check.py

full: test ## everything, the slow tests too, and all tests on every Spark
	$(PYTEST) -m slow
	@$(MAKE) --no-print-directory matrix MATRIX_TESTS="tests/spark tests/cases tests/parity"
	@$(MAKE) --no-print-directory demo bench check-bench

lock: environment ## the constraints files anew from pyproject.toml (ARGS=--upgrade for newer versions)
	scripts/lock $(ARGS)

clean: ## removes the environments and whatever a run leaves
	rm -rf .venv .venv-* dist build target jvm/target jvm/*/target project/target project/project artifacts spark-warehouse metastore_db derby.log .hypothesis .*_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
