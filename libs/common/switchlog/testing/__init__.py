"""What tests of every service need: given/when/then, tokens, waiting for what will be true."""

from switchlog.testing.deciding import DeciderTest
from switchlog.testing.identity import TestIssuer, test_settings
from switchlog.testing.otlp import OtlpReceiver
from switchlog.testing.places import free_port, own_store
from switchlog.testing.waiting import eventually

__all__ = ["DeciderTest", "OtlpReceiver", "TestIssuer", "eventually", "free_port", "own_store", "test_settings"]
