"""What this machine has: graphics cards, unified memory, RAM."""
