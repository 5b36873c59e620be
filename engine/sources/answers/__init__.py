"""From the answers of commands to records, whichever way they came. Pure: no I/O, no clock."""
