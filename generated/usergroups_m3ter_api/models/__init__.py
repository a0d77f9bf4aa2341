"""Contains all the data models used in inputs/outputs"""

from .error import Error
from .o_auth_error import OAuthError
from .token_request import TokenRequest
from .token_response import TokenResponse
from .user_group import UserGroup
from .user_group_page import UserGroupPage

__all__ = (
    "Error",
    "OAuthError",
    "TokenRequest",
    "TokenResponse",
    "UserGroup",
    "UserGroupPage",
)
