"""Read models, each rebuildable from the topics."""
