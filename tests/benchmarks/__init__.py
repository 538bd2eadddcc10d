"""Benchmarks: each a module that measures, in one run with its floor where it has one, and prints figures."""
