"""Consumers; no rule in here."""
