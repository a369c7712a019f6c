"""The performance figures, each as a ratio against its ceiling in the same run: `make bench`."""
