from fake_backends import install_backend

__all__ = ["install_backend"]
