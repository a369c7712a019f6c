"""The whole contact centre on one machine, with people in it: what `make demo` runs."""
