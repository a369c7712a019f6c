"""Agents of the contact centre: session, presence, skills, capacity, work and wrap-up."""
