"""Proves that live figures equal a batch recomputation from the topics (``make verify-figures``, features AN-1, AN-4)."""
