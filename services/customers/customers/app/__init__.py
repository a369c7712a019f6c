"""Commands and reactions: load, decide, append; nothing here knows HTTP, Kafka or protobuf."""
