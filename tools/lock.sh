#!/bin/sh
# Writes requirements.lock: everything that `make app` installs, with the hash of every file, for Python 3.10 to 3.13
# on Linux, macOS and Windows. Needs uv (pip install uv).
#
# Not in it: torch, and the CUDA libraries that come with it. torch is one version with many builds (for processors,
# for each CUDA, of each mirror), of which a machine takes the one that its index gives; a hash would allow one only.
# It is pinned to its version, and installed after the rest.
set -eu
cd "$(dirname "$0")/.."
UV=${UV:-uv}
# Below Python 3.13 mediapipe's companions stay as they are: newer ones have not been tried with it.
kept() {
    for pin in jax==0.5.3 jaxlib==0.5.3 ml-dtypes==0.4.1; do echo "$pin ; python_version < '3.13'"; done
    # ai-edge-litert's, on 3.13: later ones are for Python below 3.11, and uv does not look at upper bounds.
    echo 'backports-strenum<1.3'
}
lock() {
    { echo 'pydantic==2.12.5'; echo 'pandas==2.3.3'; kept; } |
        "$UV" pip compile -q --no-config --universal --generate-hashes --python-version 3.10 \
        --constraint - --no-header --no-annotate "$@" requirements.txt
}
left_out=$(lock | sed -n 's/^\(torch\|triton\|nvidia-[a-z0-9-]*\|cuda-[a-z0-9-]*\)==.*/--no-emit-package \1/p' | sort -u)
{
    echo "# Written by tools/lock.sh; do not edit. pip install --require-hashes --no-deps -r requirements.lock"
    # shellcheck disable=SC2086  # many words are meant
    lock $left_out
} >requirements.lock.new
mv requirements.lock.new requirements.lock
