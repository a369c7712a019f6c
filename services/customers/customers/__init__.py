"""Who our customers are, without knowing them: references, keys and erasure."""
