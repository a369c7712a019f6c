"""HTTP for agents and supervisors."""
