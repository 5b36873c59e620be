"""The process itself, whatever it does: its clock, worker threads, memory, open files, and its end."""
