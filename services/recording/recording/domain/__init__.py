"""The rule book of a recording: pure, no I/O, no clock."""
