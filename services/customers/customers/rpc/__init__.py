"""gRPC: references and keys for the other services, and the same commands as over HTTP."""
