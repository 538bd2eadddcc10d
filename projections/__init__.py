"""What is remembered for reading: the read models' tables, row folding, queries and the writer."""
