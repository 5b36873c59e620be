"""The API's body of one record, field by field: from its current row, or from a past record."""
