"""The rule book of a written conversation: pure, no I/O, no clock."""
