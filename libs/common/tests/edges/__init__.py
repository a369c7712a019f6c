"""The edges: what a service shows to the outside, and what it refuses."""
