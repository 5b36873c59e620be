"""The program's own files, whatever they contain: written whole or not at all, private to their owner, locked; causes of failures."""
