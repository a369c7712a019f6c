"""gRPC: the same commands and queries as over HTTP."""
