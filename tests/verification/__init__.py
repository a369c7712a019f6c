"""Proves that live figures equal a batch recomputation from the topics (features AN-1, AN-4)."""
