"""Two sides compared: differences, the plan that ends them, and how both read in a report."""
