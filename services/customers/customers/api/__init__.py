"""HTTP: routes, schemas, and nothing that decides. Keys are given by gRPC only."""
