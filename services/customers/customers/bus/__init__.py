"""What is read from Kafka and by whom; no rule in here."""
