"""How it is run: the command line, the wiring, starting and stopping, embedded database, migrations."""
