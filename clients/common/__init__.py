"""The shared parts of the scripts: reconnecting, the texts about a task, and their display in a terminal or a pipe."""
