"""The rule book of a customer reference: identities, merging and erasure; pure, no I/O, no clock."""
