"""Routing: one stream per pool, who is offered what and why."""
