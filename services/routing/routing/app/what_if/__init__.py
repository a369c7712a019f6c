"""A recorded day under other rules: its contacts and agents enacted again around the engine of production.

``recorded`` takes a day apart, ``people`` says what is not recorded (drawn with a seed), ``enacted`` runs it,
``compared`` puts figures side by side. Under the same rules the day comes out as it was, fact by fact.
"""
