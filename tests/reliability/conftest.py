"""What the long runs need of the other rooms."""

from tests.server.conftest import server_environment, start_editor

__all__ = ["server_environment", "start_editor"]
