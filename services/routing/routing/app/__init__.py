"""What the service does with its rule book: own pools, give orders, look at boards."""
