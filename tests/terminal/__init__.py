"""The real program in real pseudo-terminals: signals, sizes, terminal types, slow links, SSH."""
