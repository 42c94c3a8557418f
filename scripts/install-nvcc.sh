#!/usr/bin/env bash
# Installs NVIDIA's CUDA compiler into a folder (build/nvcc by default) and prints the folder of its programs, for PATH.
# From NVIDIA's wheels: Debian's nvidia-cuda-toolkit is 11.8, too old for sm_90a's instructions, and needs non-free sources.
set -euo pipefail
folder="${1:-$(cd "$(dirname "$0")/.." && pwd)/build/nvcc}"
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet 'nvidia-cuda-nvcc==13.0.*' 'nvidia-nvvm==13.0.*' 'nvidia-cuda-crt==13.0.*' 'nvidia-cuda-runtime==13.0.*' 'nvidia-cuda-cccl==13.0.*' >&2
dirname "$(find "$folder" -path '*/bin/nvcc' -type f | head -n 1)"
