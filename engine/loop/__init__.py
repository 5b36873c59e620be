"""The imperative shell: reads, waits, calls worker threads. It knows ports, never adapters."""
