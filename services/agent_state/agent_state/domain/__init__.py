"""The rule book of an agent: presence, work, wrap-up and the change of a pool; pure, no I/O, no clock."""
