"""What a plan does to the rows file, inside one transaction that the replica opens: rows and their bookkeeping, read back."""
