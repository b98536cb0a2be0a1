# `make help` lists what there is. Each target makes the environment it needs: Python 3.10+ and Java 17+ are enough.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
MATRIX := spark35 spark42
PYTHONS := python3.10 python3.12
# What may differ between Spark versions: how columns are bound and typed, and what comes back.
MATRIX_TESTS := $(addprefix tests/spark/test_,binding.py generated_frames.py types.py results.py missing_values.py score.py map.py spark_flavor.py mleap_flavor.py) tests/cases
# Slow, and what a Spark of another version may save or answer otherwise.
PARITY := main $(MATRIX)
PARITY_TESTS := $(addprefix tests/,parity/test_bundle_parity.py parity/test_stage_parity.py parity/test_forest.py spark/test_connect_pipeline.py)

# The environments of flavors that the matrix runs; `make flavors` runs all.
MATRIX_FLAVORS := heavy
FLAVORS_SHORT := 1

.PHONY: help environment java jvm programs soak images lint types imports check test matrix parity pythons deployments flavors demo notebooks bench bench-serve bench-jvm bench-flavors check-bench full lock clean

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

programs: # R and Chromium, which some tests use: installed where that can be, else those tests are skipped, or fail where CI=true
	@for need in r chromium; do scripts/needs $$need --install || true; done

test: programs ## check, then the tests on Spark (without Java: skipped, or a failure where CI=true); no slow tests
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

soak: environment programs jvm ## minutes of load, torture and fuzz of the server (SPARK_MODELS_SHORT=1: a tenth)
	$(PYTEST) -m slow tests/serve --ignore=tests/serve/test_images.py

images: environment programs jvm ## the server's images, built without a daemon and run; needs root or user namespaces
	@scripts/needs image --install || true
	$(PYTEST) -m slow tests/serve/test_images.py

matrix: environment java ## the tests on Spark again with the oldest and the newest Spark, a short soak, some flavors, short benchmarks
	@for name in $(MATRIX); do \
	    scripts/environment $$name; \
	    echo ".venv-$$name: pyspark $$(.venv-$$name/bin/python -c 'import pyspark; print(pyspark.__version__)')"; \
	    .venv-$$name/bin/python -m pytest -m "not slow" --junitxml=build/junit/$$name.xml $(MATRIX_TESTS); \
	done
	@SPARK_MODELS_SHORT=1 $(MAKE) --no-print-directory soak
	@$(MAKE) --no-print-directory deployments
	@SPARK_MODELS_SHORT=$(FLAVORS_SHORT) scripts/flavors $(MATRIX_FLAVORS)
	$(BIN)/python benchmarks/udf.py --short

parity: environment java jvm ## every stage that MLeap has, in the JVM beside each Spark, on hostile rows; a large forest; pipelines over Connect
	@for name in $(PARITY); do \
	    scripts/environment $$name; \
	    folder=.venv-$$name; [ $$name != main ] || folder=.venv; \
	    echo "$$folder: pyspark $$($$folder/bin/python -c 'import pyspark; print(pyspark.__version__)')"; \
	    $$folder/bin/python -m pytest --junitxml=build/junit/$$name-parity.xml $(PARITY_TESTS); \
	done

pythons: ## types, docstrings' examples and unit tests on the oldest and the newest Python
	@for python in $(PYTHONS); do \
	    scripts/environment $$python || { echo "SKIPPED: $$python"; [ "$${CI:-}" != true ]; continue; }; \
	    .venv-$$python/bin/mypy; \
	    .venv-$$python/bin/python -m pytest --doctest-modules spark_models; \
	    .venv-$$python/bin/python -m pytest -m "not spark and not slow" --junitxml=build/junit/$$python.xml; \
	done

deployments: ## the tests of the clouds' targets, in an environment of their own
	scripts/environment deployments
	.venv-deployments/bin/python -m pytest -p no:spark -m "not spark and not slow" tests/deployments tests/unit/deploy # no pyspark there

flavors: environment java ## every flavor with its real library and in the real MLflow; writes docs/flavor-laws.md (12 GB of environments)
	@FLAVOR_REPORT=docs/flavor-laws.md scripts/flavors

demo: environment java ## the tour: train, save, score on Spark, verify
	$(BIN)/python notebooks/demo.py

notebooks: environment java ## the notebooks, run, as pages in docs/notebooks
	$(BIN)/python scripts/render_notebooks.py

bench: environment java ## the benchmarks
	$(BIN)/python benchmarks/udf.py

bench-serve: environment ## the server beside a bare application, under load from wrk
	@scripts/needs wrk --install
	$(BIN)/python benchmarks/serve.py

bench-jvm: ## the scorer of the JVM against what it must reach; writes docs/benchmarks/jvm.md
	@scripts/jvm "benchmarks/run docs/benchmarks"

bench-flavors: ## what the pyfunc form costs over each library's own call; writes docs/benchmarks/flavors.md
	@for name in gluon tensorflow torch heavy; do \
	    scripts/environment $$name; \
	    .venv-$$name/bin/python benchmarks/flavors.py; \
	done

check-bench: environment java ## the benchmarks against what they must reach
	$(BIN)/python benchmarks/check.py

full: programs check jvm ## everything: all tests on every Spark, the slow ones, the benchmarks; writes docs/matrix.md
	@scripts/needs image --install || true
	rm -rf build/junit
	$(PYTEST) --junitxml=build/junit/main.xml
	@FLAVOR_REPORT=docs/flavor-laws.md $(MAKE) --no-print-directory matrix \
	    MATRIX_TESTS="tests/spark tests/cases tests/parity" MATRIX_FLAVORS="heavy torch tensorflow gluon" FLAVORS_SHORT=0
	@$(MAKE) --no-print-directory pythons
	@$(MAKE) --no-print-directory parity PARITY="$(MATRIX)" # with this Spark they are among all tests
	$(BIN)/python scripts/matrix_report.py build/junit
	@$(MAKE) --no-print-directory demo bench bench-serve check-bench

lock: environment ## the constraints files anew from pyproject.toml (ARGS=--upgrade for newer versions)
	scripts/lock $(ARGS)

clean: ## removes the environments and whatever a run leaves
	rm -rf .venv .venv-* dist build target jvm/target jvm/*/target project/target project/project artifacts spark-warehouse metastore_db derby.log .hypothesis .*_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
