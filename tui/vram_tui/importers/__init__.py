"""From model files (GGUF, safetensors, configurations) to catalogue entries."""
