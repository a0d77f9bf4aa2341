from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="UserGroup")


@_attrs_define
class UserGroup:
    """A user group that a user is in. m3ter's reference also calls it a resource group.

    Attributes:
        id (str): The group's identifier. Called a UUID in prose, typed as a plain string.
        version (int | None | Unset): Counts the states of the group, 1 when it is created and one more for each update.
        name (None | str | Unset): What the group is called.
        dt_created (datetime.datetime | None | Unset): When the group was created.
        dt_last_modified (datetime.datetime | None | Unset): When the group was last changed.
        created_by (None | str | Unset): The identifier of the user who created the group.
        last_modified_by (None | str | Unset): The identifier of the user who changed the group last.
    """

    id: str
    version: int | None | Unset = UNSET
    name: None | str | Unset = UNSET
    dt_created: datetime.datetime | None | Unset = UNSET
    dt_last_modified: datetime.datetime | None | Unset = UNSET
    created_by: None | str | Unset = UNSET
    last_modified_by: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        version: int | None | Unset
        if isinstance(self.version, Unset):
            version = UNSET
        else:
            version = self.version

        name: None | str | Unset
        if isinstance(self.name, Unset):
            name = UNSET
        else:
            name = self.name

        dt_created: None | str | Unset
        if isinstance(self.dt_created, Unset):
            dt_created = UNSET
        elif isinstance(self.dt_created, datetime.datetime):
            dt_created = self.dt_created.isoformat()
        else:
            dt_created = self.dt_created

        dt_last_modified: None | str | Unset
        if isinstance(self.dt_last_modified, Unset):
            dt_last_modified = UNSET
        elif isinstance(self.dt_last_modified, datetime.datetime):
            dt_last_modified = self.dt_last_modified.isoformat()
        else:
            dt_last_modified = self.dt_last_modified

        created_by: None | str | Unset
        if isinstance(self.created_by, Unset):
            created_by = UNSET
        else:
            created_by = self.created_by

        last_modified_by: None | str | Unset
        if isinstance(self.last_modified_by, Unset):
            last_modified_by = UNSET
        else:
            last_modified_by = self.last_modified_by

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
            }
        )
        if version is not UNSET:
            field_dict["version"] = version
        if name is not UNSET:
            field_dict["name"] = name
        if dt_created is not UNSET:
            field_dict["dtCreated"] = dt_created
        if dt_last_modified is not UNSET:
            field_dict["dtLastModified"] = dt_last_modified
        if created_by is not UNSET:
            field_dict["createdBy"] = created_by
        if last_modified_by is not UNSET:
            field_dict["lastModifiedBy"] = last_modified_by

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = d.pop("id")

        def _parse_version(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast("int | None | Unset", data)

        version = _parse_version(d.pop("version", UNSET))

        def _parse_name(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast("None | str | Unset", data)

        name = _parse_name(d.pop("name", UNSET))

        def _parse_dt_created(data: object) -> datetime.datetime | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                dt_created_type_0 = datetime.datetime.fromisoformat(data)

                return dt_created_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast("datetime.datetime | None | Unset", data)

        dt_created = _parse_dt_created(d.pop("dtCreated", UNSET))

        def _parse_dt_last_modified(data: object) -> datetime.datetime | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                dt_last_modified_type_0 = datetime.datetime.fromisoformat(data)

                return dt_last_modified_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast("datetime.datetime | None | Unset", data)

        dt_last_modified = _parse_dt_last_modified(d.pop("dtLastModified", UNSET))

        def _parse_created_by(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast("None | str | Unset", data)

        created_by = _parse_created_by(d.pop("createdBy", UNSET))

        def _parse_last_modified_by(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast("None | str | Unset", data)

        last_modified_by = _parse_last_modified_by(d.pop("lastModifiedBy", UNSET))

        user_group = cls(
            id=id,
            version=version,
            name=name,
            dt_created=dt_created,
            dt_last_modified=dt_last_modified,
            created_by=created_by,
            last_modified_by=last_modified_by,
        )

        user_group.additional_properties = d
        return user_group

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
