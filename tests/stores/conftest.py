from tests.postgres_server import make_address, postgres

__all__ = ["make_address", "postgres"]
