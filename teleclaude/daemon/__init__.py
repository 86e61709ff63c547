"""The daemon: what `teleclaude run` does."""
