"""One module per subcommand: the dashboard's answers as text, JSON and exit codes."""
