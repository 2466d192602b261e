"""What the scripts share: how they reconnect, what they say of a task, and how a terminal or a pipe shows it."""
