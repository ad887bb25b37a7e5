"""No network in tests: `sitecustomize` refuses it in every program that they start, the conftest in their own."""
