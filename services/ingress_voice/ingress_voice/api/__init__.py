"""HTTP for agents and administrators."""
