"""What is answered: one struct for each resource, and how it follows from a row of the read models.

Money and quantities are decimal strings in whole SOL and whole tokens; times are UTC.
"""
