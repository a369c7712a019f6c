"""What this service hears: the bus and the switch. No rule in here."""
