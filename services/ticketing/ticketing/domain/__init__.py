"""The rule book of a ticket: pure, no I/O, no clock."""
