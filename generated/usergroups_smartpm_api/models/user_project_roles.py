from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import UUID

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.project_role import ProjectRole


T = TypeVar("T", bound="ProjectRoles")


@_attrs_define
class ProjectRoles:
    """The roles of a user in projects.

    Attributes:
        project_roles (list[ProjectRole]): The roles. May be empty.
        user_id (None | Unset | UUID): The user's identifier.
    """

    project_roles: list[ProjectRole]
    user_id: None | Unset | UUID = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        project_roles = []
        for project_roles_item_data in self.project_roles:
            project_roles_item = project_roles_item_data.to_dict()
            project_roles.append(project_roles_item)

        user_id: None | str | Unset
        if isinstance(self.user_id, Unset):
            user_id = UNSET
        elif isinstance(self.user_id, UUID):
            user_id = str(self.user_id)
        else:
            user_id = self.user_id

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "projectRoles": project_roles,
            }
        )
        if user_id is not UNSET:
            field_dict["userId"] = user_id

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.project_role import ProjectRole  # noqa: PLC0415

        d = dict(src_dict)
        project_roles = []
        _project_roles = d.pop("projectRoles")
        for project_roles_item_data in _project_roles:
            project_roles_item = ProjectRole.from_dict(project_roles_item_data)

            project_roles.append(project_roles_item)

        def _parse_user_id(data: object) -> None | Unset | UUID:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                user_id_type_0 = UUID(data)

                return user_id_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast("None | Unset | UUID", data)

        user_id = _parse_user_id(d.pop("userId", UNSET))

        user_project_roles = cls(
            project_roles=project_roles,
            user_id=user_id,
        )

        user_project_roles.additional_properties = d
        return user_project_roles

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
