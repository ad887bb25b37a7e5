"""Our figures beside those of llama.cpp's own allocator, asked without weights and without a GPU."""
