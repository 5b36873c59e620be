"""The process itself, independent of its task: clock, worker threads, memory, open files, and shutdown."""
