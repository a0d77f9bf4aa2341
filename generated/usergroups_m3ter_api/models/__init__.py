"""Contains all the data models used in inputs/outputs"""

from __future__ import annotations

from .error import Error
from .group_item import GroupItem
from .group_item_page import GroupItemPage
from .o_auth_error import OAuthError
from .token_request import TokenRequest
from .token_response import TokenResponse
from .user import User
from .user_group import UserGroup
from .user_group_page import UserGroupPage
from .user_page import UserPage

__all__ = (
    "Error",
    "GroupItem",
    "GroupItemPage",
    "OAuthError",
    "TokenRequest",
    "TokenResponse",
    "User",
    "UserGroup",
    "UserGroupPage",
    "UserPage",
)
