"""Who is asking: tokens are made, verified and exchanged for one-time socket tickets here."""

from switchlog.auth.principal import Principal, acting_for, require_role
from switchlog.auth.signing import Signer, issue_token, issue_visitor_token, load_or_create_key, new_key, public_jwks
from switchlog.auth.tickets import TicketOffice
from switchlog.auth.tokens import NoTokens, TokenSource, client_credentials, file_tokens, token_source
from switchlog.auth.verifier import RemoteKeys, StaticKeys, Trust, Verifier, verifier_from

__all__ = [
    "NoTokens",
    "Principal",
    "RemoteKeys",
    "Signer",
    "StaticKeys",
    "TicketOffice",
    "TokenSource",
    "Trust",
    "Verifier",
    "acting_for",
    "client_credentials",
    "file_tokens",
    "issue_token",
    "issue_visitor_token",
    "load_or_create_key",
    "new_key",
    "public_jwks",
    "require_role",
    "token_source",
    "verifier_from",
]
