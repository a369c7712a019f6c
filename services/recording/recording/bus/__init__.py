"""What this service hears on the bus: no rule in here."""
