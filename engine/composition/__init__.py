"""Composes one home from its settings: the only modules that name adapters. Decides nothing."""
