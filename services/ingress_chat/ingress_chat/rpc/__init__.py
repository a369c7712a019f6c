"""gRPC for the console and other languages."""
