"""The rows file as it was at one moment: taken, and put back."""
