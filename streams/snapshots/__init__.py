"""Snapshots: a trader's state at an offset, so that a start need not fold everything."""
