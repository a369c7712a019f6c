"""Mechanisms every service shares: no business nouns in here."""
