"""Commands and reactions: load, decide, append; nothing here knows a protocol."""
