"""The rows file for readers (the API and the command line): never writes, and knows nothing of a pass."""
