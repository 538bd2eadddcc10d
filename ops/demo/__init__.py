"""The demo: the real daemon on shipped candles, agents with different configs, and signals by HTTP."""
