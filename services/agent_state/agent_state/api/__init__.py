"""HTTP and WebSocket: routes, schemas, and nothing that decides."""
