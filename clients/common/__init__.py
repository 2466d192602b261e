"""The shared parts of the scripts; those about what is shown are also those of the app's commands."""
