# The same commands for people and CI. A fresh Debian with Python 3.11 and make needs nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: train demo test lint unit explore faults test-thirdparty bench bench-detect lock clean verify-zipapp

$(STAMP): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked packages (a few minutes on a fresh machine)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: $(STAMP)
	$(BIN)/phigate demo $(if $(ONCE),--once)

test: lint unit test-thirdparty

# Real vLLM on the processor, in an environment of its own, serving tiny models; says why where it cannot.
test-onprem: $(STAMP)
	tests/onprem/run.sh

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile

# New examples for every property test, many more than in `make test`, which draws the same ones each time.
explore: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" --hypothesis-profile explore $(TESTS)

# Kills, power cuts, crashes, cut connections, failing system calls, clocks: more of each than in `make test`, with the
# numbers printed: how many kills, how many acknowledged records, how many lost.
faults: $(STAMP)
	@if [ "$$(id -u)" = 0 ] && ! ( command -v strace && ls /usr/lib/*/faketime/libfaketimeMT.so.1 ) >/dev/null 2>&1; then \
	  apt-get update -qq && apt-get install -y -qq strace libfaketime >/dev/null; fi
	PHIGATE_FAULTS=$(or $(ROUNDS),60) $(BIN)/python -m pytest tests/store tests/e2e/test_auditor.py -s

# A second opinion in an environment of its own: sigstore-python checks our checkpoints and inclusion proofs. Says why
# where its packages cannot be installed. Nothing of tests/conftest.py is loaded: its packages are not in there.
THIRDPARTY := $(VENV)/thirdparty
test-thirdparty: $(STAMP)
	@test -x $(THIRDPARTY)/bin/python || $(PYTHON) -m venv $(THIRDPARTY)
	@if $(THIRDPARTY)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  -r tests/thirdparty/requirements.lock 2>$(THIRDPARTY)/pip.log; \
	then $(THIRDPARTY)/bin/python -m pytest tests/thirdparty -p no:cacheprovider --confcutdir=tests/thirdparty; \
	else echo "SKIPPED tests/thirdparty: its packages cannot be installed here:"; tail -1 $(THIRDPARTY)/pip.log; fi

bench: $(STAMP)
	$(BIN)/python -m tests.bench

# 32 streams of 30 tokens a second, through the gateway and without it; prints the gateway's CPU time a token.
bench-paced: $(STAMP)
	$(BIN)/python -m tests.bench.paced

bench-detect: $(STAMP)
	$(BIN)/python -m tests.bench_detect $(if $(BIG),--big)

# Rewrites the lock file from pyproject.toml; needs uv. The file names no registry host.
lock:
	uv pip compile pyproject.toml --extra external --extra postgres --group dev --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements.lock

# Rebuilds the word lists and trains the tagger: at most 20 minutes on two cores. TRAIN_VENV stays outside the checkout.
TRAIN_VENV ?= $(HOME)/.cache/phigate-train

train:
	@test -x $(TRAIN_VENV)/bin/python || $(PYTHON) -m venv $(TRAIN_VENV)
	@$(TRAIN_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r training/requirements.txt
	$(TRAIN_VENV)/bin/python -m training.check training/text
	$(TRAIN_VENV)/bin/python -m training.lexicon
	$(TRAIN_VENV)/bin/python -m training.countries
	$(TRAIN_VENV)/bin/python -m training.common
	$(TRAIN_VENV)/bin/python -m training.evaluation
	$(TRAIN_VENV)/bin/python -m training.train

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist

# The verifier as one file for auditors; needs nothing but Python and cryptography where it runs.
verify-zipapp: $(STAMP)
	@mkdir -p dist
	$(BIN)/python -m phigate.cli.verify_zipapp dist/phigate-verify.pyz
