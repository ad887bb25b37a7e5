"""One module per inference engine: what it allocates, when and where."""
