"""Commands, reactions and pushes: load, decide, append; nothing here knows HTTP, Kafka or protobuf."""
