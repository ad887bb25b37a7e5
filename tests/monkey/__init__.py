"""Random keys, mouse and sizes over all screens: see `monkey`."""
