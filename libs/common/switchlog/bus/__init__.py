"""Reading and writing Kafka: each record is done, later or never; progress follows the effect (kernel rules 12-15)."""
