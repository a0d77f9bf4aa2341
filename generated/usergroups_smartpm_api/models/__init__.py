"""Contains all the data models used in inputs/outputs"""

from __future__ import annotations

from .company_user import CompanyUser
from .error import Error
from .project_role import ProjectRole
from .user import User
from .user_group import UserGroup
from .user_project_roles import ProjectRoles

__all__ = (
    "CompanyUser",
    "Error",
    "ProjectRole",
    "ProjectRoles",
    "User",
    "UserGroup",
)
