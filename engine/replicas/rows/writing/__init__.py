"""Writes a plan to the rows file, inside one transaction that the replica opens: rows and ledger entries, read back."""
