"""The log: append-only tapes of inputs and journals of entries, in three engines behind one contract."""
