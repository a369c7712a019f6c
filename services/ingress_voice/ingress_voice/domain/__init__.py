"""The rule book of a call: pure, no I/O, no clock."""
