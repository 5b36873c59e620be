"""What the API says of one record, field by field: from its row now, or from its record then."""
