from tests.config.conftest import home, method

__all__ = ["home", "method"]
