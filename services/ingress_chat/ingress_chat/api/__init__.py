"""HTTP and WebSockets for visitors, agents and administrators."""
