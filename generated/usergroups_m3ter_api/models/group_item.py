from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="GroupItem")


@_attrs_define
class GroupItem:
    """Something that is directly in a user group: a user, or another group. Nothing is sure to be there, so that one odd
    item does not make a whole group unreadable.

        Attributes:
            id (None | str | Unset): The identifier of the item itself.
            version (int | None | Unset): Counts the states of the item, 1 when it is created and one more for each update.
            target_id (None | str | Unset): The identifier of the user or group that the item stands for.
            target_type (None | str | Unset): `ITEM` for a user, `GROUP` for a nested group. In capitals in the reference's
                schema, in lower case in its prose; the list may be open, so any text is taken.
            dt_created (datetime.datetime | None | Unset): When it was created.
            dt_last_modified (datetime.datetime | None | Unset): When it was last changed.
            created_by (None | str | Unset): The identifier of the user who created it.
            last_modified_by (None | str | Unset): The identifier of the user who changed it last.
    """

    id: None | str | Unset = UNSET
    version: int | None | Unset = UNSET
    target_id: None | str | Unset = UNSET
    target_type: None | str | Unset = UNSET
    dt_created: datetime.datetime | None | Unset = UNSET
    dt_last_modified: datetime.datetime | None | Unset = UNSET
    created_by: None | str | Unset = UNSET
    last_modified_by: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id: None | str | Unset
        if isinstance(self.id, Unset):
            id = UNSET
        else:
            id = self.id

        version: int | None | Unset
        if isinstance(self.version, Unset):
            version = UNSET
        else:
            version = self.version

        target_id: None | str | Unset
        if isinstance(self.target_id, Unset):
            target_id = UNSET
        else:
            target_id = self.target_id

        target_type: None | str | Unset
        if isinstance(self.target_type, Unset):
            target_type = UNSET
        else:
            target_type = self.target_type

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
        field_dict.update({})
        if id is not UNSET:
            field_dict["id"] = id
        if version is not UNSET:
            field_dict["version"] = version
        if target_id is not UNSET:
            field_dict["targetId"] = target_id
        if target_type is not UNSET:
            field_dict["targetType"] = target_type
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

        def _parse_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast("None | str | Unset", data)

        id = _parse_id(d.pop("id", UNSET))

        def _parse_version(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast("int | None | Unset", data)

        version = _parse_version(d.pop("version", UNSET))

        def _parse_target_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast("None | str | Unset", data)

        target_id = _parse_target_id(d.pop("targetId", UNSET))

        def _parse_target_type(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast("None | str | Unset", data)

        target_type = _parse_target_type(d.pop("targetType", UNSET))

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

        group_item = cls(
            id=id,
            version=version,
            target_id=target_id,
            target_type=target_type,
            dt_created=dt_created,
            dt_last_modified=dt_last_modified,
            created_by=created_by,
            last_modified_by=last_modified_by,
        )

        group_item.additional_properties = d
        return group_item

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
