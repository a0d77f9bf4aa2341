"""Contains all the data models used in inputs/outputs"""

from .error import Error
from .user import User
from .user_group import UserGroup

__all__ = (
    "Error",
    "User",
    "UserGroup",
)
