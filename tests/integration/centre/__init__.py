"""A whole contact centre for stories: every service as a process of its own, and the people who use it."""

import pytest

# One centre and one event loop for all stories; its start, which may be slow on a busy machine, is not on their clock.
STORY = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120, func_only=True)]
