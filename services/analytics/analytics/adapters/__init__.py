"""The command line's view of the figures."""
