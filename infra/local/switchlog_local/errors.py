"""What can go wrong with a local server, each with a sentence that says what to do."""


class LocalError(Exception):
    """The sentence for a person; the command line prints it and exits 1."""


class PortTaken(LocalError):
    """Another program listens on a port we need."""


class NoJava(LocalError):
    """No Java 17: neither by pip nor on the PATH."""


class NoNetwork(LocalError):
    """Jars are missing and can't be fetched."""


class BadJar(LocalError):
    """A fetched jar is not the one the lock names."""


class StartFailed(LocalError):
    """The server ended, or did not become ready in time; carries the end of its log."""
