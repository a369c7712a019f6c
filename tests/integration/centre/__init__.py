"""A whole contact centre for stories: every service as a process of its own, and the people who use it."""
