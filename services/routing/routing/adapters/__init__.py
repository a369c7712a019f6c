"""Translators to and from what is outside: other contexts' facts, the inbox, configuration rows."""
