"""Files of ours on this machine, whatever they hold: whole or not there, their owner's, locked, and why they fail."""
