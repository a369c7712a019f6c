"""The rule book of a pool: pure, deterministic, replayable."""
