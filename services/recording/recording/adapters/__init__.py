"""The ports of this service on real things."""
