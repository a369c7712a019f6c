"""The fault bench: processes are killed, servers stopped, and then every promise is checked on store and topics."""
