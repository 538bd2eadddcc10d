"""Why a figure is what it is: the chain from signal to position, told from the journal.

- `lookup`: the read models say on which inputs of the tape the chain lies;
- `journal`: the entries of those inputs, read from the log;
- `configs`: which config an agent had when it decided;
- `reached`: of how many agents the text tells;
- `story`: the entries as one tree of plain values, which is also the JSON;
- `text`: the tree for people.
"""
