"""Routing on paper: the production engine on a virtual clock, with simulated contacts and agents.

``world`` says who comes and how people behave, ``engine`` runs it, ``stays`` tells what became of each contact,
``figures`` counts. None of them knows a file format.
"""
