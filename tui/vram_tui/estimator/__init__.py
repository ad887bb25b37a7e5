"""The pure estimator: what a model needs, from its blocks; standard library only."""
