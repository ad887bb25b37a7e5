"""The person's state: scenario, grid, marks, target; saved atomically, undone and redone."""
