"""The contract of every store, and what is particular to each."""
