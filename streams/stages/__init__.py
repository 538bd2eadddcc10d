"""The programs on a signal's way."""
