"""What may not be done, and why: guards, doubt, absences, and which home a store belongs to."""
