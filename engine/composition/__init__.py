"""Puts one home together from its settings: the only modules that name adapters. Decides nothing."""
