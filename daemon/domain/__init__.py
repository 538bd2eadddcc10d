"""The pure core: values, commands, events, deciders. No I/O, clock, chance, logging, async or float."""
