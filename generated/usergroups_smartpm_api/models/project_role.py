from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast
from uuid import UUID

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="ProjectRole")


@_attrs_define
class ProjectRole:
    """A role in one project, which the user has directly, by a user group, or both.

    Attributes:
        project_id (int | None | Unset): The project's identifier.
        user_role_id (int | None | Unset): The role that the user has directly. Null where there is none.
        group_role_id (int | None | Unset): The role that the user has by the group. Null where there is none.
        effective_role_id (int | None | Unset): The role that counts.
        project_user_id (int | None | Unset): The identifier of the user within the project.
        user_group_id (None | Unset | UUID): The user group that the role comes from. Null for a direct role.
        user_group_name (None | str | Unset): What that group is called.
    """

    project_id: int | None | Unset = UNSET
    user_role_id: int | None | Unset = UNSET
    group_role_id: int | None | Unset = UNSET
    effective_role_id: int | None | Unset = UNSET
    project_user_id: int | None | Unset = UNSET
    user_group_id: None | Unset | UUID = UNSET
    user_group_name: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        project_id: int | None | Unset
        if isinstance(self.project_id, Unset):
            project_id = UNSET
        else:
            project_id = self.project_id

        user_role_id: int | None | Unset
        if isinstance(self.user_role_id, Unset):
            user_role_id = UNSET
        else:
            user_role_id = self.user_role_id

        group_role_id: int | None | Unset
        if isinstance(self.group_role_id, Unset):
            group_role_id = UNSET
        else:
            group_role_id = self.group_role_id

        effective_role_id: int | None | Unset
        if isinstance(self.effective_role_id, Unset):
            effective_role_id = UNSET
        else:
            effective_role_id = self.effective_role_id

        project_user_id: int | None | Unset
        if isinstance(self.project_user_id, Unset):
            project_user_id = UNSET
        else:
            project_user_id = self.project_user_id

        user_group_id: None | str | Unset
        if isinstance(self.user_group_id, Unset):
            user_group_id = UNSET
        elif isinstance(self.user_group_id, UUID):
            user_group_id = str(self.user_group_id)
        else:
            user_group_id = self.user_group_id

        user_group_name: None | str | Unset
        if isinstance(self.user_group_name, Unset):
            user_group_name = UNSET
        else:
            user_group_name = self.user_group_name

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if project_id is not UNSET:
            field_dict["projectId"] = project_id
        if user_role_id is not UNSET:
            field_dict["userRoleId"] = user_role_id
        if group_role_id is not UNSET:
            field_dict["groupRoleId"] = group_role_id
        if effective_role_id is not UNSET:
            field_dict["effectiveRoleId"] = effective_role_id
        if project_user_id is not UNSET:
            field_dict["projectUserId"] = project_user_id
        if user_group_id is not UNSET:
            field_dict["userGroupId"] = user_group_id
        if user_group_name is not UNSET:
            field_dict["userGroupName"] = user_group_name

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)

        def _parse_project_id(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast("int | None | Unset", data)

        project_id = _parse_project_id(d.pop("projectId", UNSET))

        def _parse_user_role_id(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast("int | None | Unset", data)

        user_role_id = _parse_user_role_id(d.pop("userRoleId", UNSET))

        def _parse_group_role_id(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast("int | None | Unset", data)

        group_role_id = _parse_group_role_id(d.pop("groupRoleId", UNSET))

        def _parse_effective_role_id(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast("int | None | Unset", data)

        effective_role_id = _parse_effective_role_id(d.pop("effectiveRoleId", UNSET))

        def _parse_project_user_id(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast("int | None | Unset", data)

        project_user_id = _parse_project_user_id(d.pop("projectUserId", UNSET))

        def _parse_user_group_id(data: object) -> None | Unset | UUID:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                user_group_id_type_0 = UUID(data)

                return user_group_id_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast("None | Unset | UUID", data)

        user_group_id = _parse_user_group_id(d.pop("userGroupId", UNSET))

        def _parse_user_group_name(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast("None | str | Unset", data)

        user_group_name = _parse_user_group_name(d.pop("userGroupName", UNSET))

        project_role = cls(
            project_id=project_id,
            user_role_id=user_role_id,
            group_role_id=group_role_id,
            effective_role_id=effective_role_id,
            project_user_id=project_user_id,
            user_group_id=user_group_id,
            user_group_name=user_group_name,
        )

        project_role.additional_properties = d
        return project_role

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
