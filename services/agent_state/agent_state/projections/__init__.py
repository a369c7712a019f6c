"""Read models: derived from facts, rebuildable."""
