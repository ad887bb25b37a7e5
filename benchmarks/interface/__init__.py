"""How quick the dashboard is in a real pseudo-terminal, beside a bare Textual app: `python -m benchmarks.interface`."""
