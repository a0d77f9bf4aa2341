from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="User")


@_attrs_define
class User:
    """A user of an organization. The reference also has `permissionPolicy`, statements of a form of their own; it is not
    described here, and kept as any unknown field.

        Attributes:
            id (str): The user's identifier. A plain string.
            version (int | None | Unset): Counts the states of the user, 1 when it is created and one more for each update.
            email (None | str | Unset): The address that the user is known by.
            first_name (None | str | Unset): The user's given name.
            last_name (None | str | Unset): The user's family name.
            contact_number (None | str | Unset): A telephone number as someone typed it.
            organizations (list[str] | None | Unset): The identifiers of the organizations that the user belongs to.
            support_user (bool | None | Unset): Whether the user is one of m3ter's own, there to support the organization.
            first_accepted_terms_and_conditions (datetime.datetime | None | Unset): When the user first accepted the terms
                and conditions.
            last_accepted_terms_and_conditions (datetime.datetime | None | Unset): When the user last accepted the terms and
                conditions.
            dt_created (datetime.datetime | None | Unset): When it was created.
            dt_last_modified (datetime.datetime | None | Unset): When it was last changed.
            created_by (None | str | Unset): The identifier of the user who created it.
            last_modified_by (None | str | Unset): The identifier of the user who changed it last.
            dt_end_access (datetime.datetime | None | Unset): When the user's access ends, or has ended. Null or absent
                where no end is set.
    """

    id: str
    version: int | None | Unset = UNSET
    email: None | str | Unset = UNSET
    first_name: None | str | Unset = UNSET
    last_name: None | str | Unset = UNSET
    contact_number: None | str | Unset = UNSET
    organizations: list[str] | None | Unset = UNSET
    support_user: bool | None | Unset = UNSET
    first_accepted_terms_and_conditions: datetime.datetime | None | Unset = UNSET
    last_accepted_terms_and_conditions: datetime.datetime | None | Unset = UNSET
    dt_created: datetime.datetime | None | Unset = UNSET
    dt_last_modified: datetime.datetime | None | Unset = UNSET
    created_by: None | str | Unset = UNSET
    last_modified_by: None | str | Unset = UNSET
    dt_end_access: datetime.datetime | None | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        version: int | None | Unset
        if isinstance(self.version, Unset):
            version = UNSET
        else:
            version = self.version

        email: None | str | Unset
        if isinstance(self.email, Unset):
            email = UNSET
        else:
            email = self.email

        first_name: None | str | Unset
        if isinstance(self.first_name, Unset):
            first_name = UNSET
        else:
            first_name = self.first_name

        last_name: None | str | Unset
        if isinstance(self.last_name, Unset):
            last_name = UNSET
        else:
            last_name = self.last_name

        contact_number: None | str | Unset
        if isinstance(self.contact_number, Unset):
            contact_number = UNSET
        else:
            contact_number = self.contact_number

        organizations: list[str] | None | Unset
        if isinstance(self.organizations, Unset):
            organizations = UNSET
        elif isinstance(self.organizations, list):
            organizations = self.organizations

        else:
            organizations = self.organizations

        support_user: bool | None | Unset
        if isinstance(self.support_user, Unset):
            support_user = UNSET
        else:
            support_user = self.support_user

        first_accepted_terms_and_conditions: None | str | Unset
        if isinstance(self.first_accepted_terms_and_conditions, Unset):
            first_accepted_terms_and_conditions = UNSET
        elif isinstance(self.first_accepted_terms_and_conditions, datetime.datetime):
            first_accepted_terms_and_conditions = (
                self.first_accepted_terms_and_conditions.isoformat()
            )
        else:
            first_accepted_terms_and_conditions = (
                self.first_accepted_terms_and_conditions
            )

        last_accepted_terms_and_conditions: None | str | Unset
        if isinstance(self.last_accepted_terms_and_conditions, Unset):
            last_accepted_terms_and_conditions = UNSET
        elif isinstance(self.last_accepted_terms_and_conditions, datetime.datetime):
            last_accepted_terms_and_conditions = (
                self.last_accepted_terms_and_conditions.isoformat()
            )
        else:
            last_accepted_terms_and_conditions = self.last_accepted_terms_and_conditions

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

        dt_end_access: None | str | Unset
        if isinstance(self.dt_end_access, Unset):
            dt_end_access = UNSET
        elif isinstance(self.dt_end_access, datetime.datetime):
            dt_end_access = self.dt_end_access.isoformat()
        else:
            dt_end_access = self.dt_end_access

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
            }
        )
        if version is not UNSET:
            field_dict["version"] = version
        if email is not UNSET:
            field_dict["email"] = email
        if first_name is not UNSET:
            field_dict["firstName"] = first_name
        if last_name is not UNSET:
            field_dict["lastName"] = last_name
        if contact_number is not UNSET:
            field_dict["contactNumber"] = contact_number
        if organizations is not UNSET:
            field_dict["organizations"] = organizations
        if support_user is not UNSET:
            field_dict["supportUser"] = support_user
        if first_accepted_terms_and_conditions is not UNSET:
            field_dict["firstAcceptedTermsAndConditions"] = (
                first_accepted_terms_and_conditions
            )
        if last_accepted_terms_and_conditions is not UNSET:
            field_dict["lastAcceptedTermsAndConditions"] = (
                last_accepted_terms_and_conditions
            )
        if dt_created is not UNSET:
            field_dict["dtCreated"] = dt_created
        if dt_last_modified is not UNSET:
            field_dict["dtLastModified"] = dt_last_modified
        if created_by is not UNSET:
            field_dict["createdBy"] = created_by
        if last_modified_by is not UNSET:
            field_dict["lastModifiedBy"] = last_modified_by
        if dt_end_access is not UNSET:
            field_dict["dtEndAccess"] = dt_end_access

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

        def _parse_email(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast("None | str | Unset", data)

        email = _parse_email(d.pop("email", UNSET))

        def _parse_first_name(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast("None | str | Unset", data)

        first_name = _parse_first_name(d.pop("firstName", UNSET))

        def _parse_last_name(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast("None | str | Unset", data)

        last_name = _parse_last_name(d.pop("lastName", UNSET))

        def _parse_contact_number(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast("None | str | Unset", data)

        contact_number = _parse_contact_number(d.pop("contactNumber", UNSET))

        def _parse_organizations(data: object) -> list[str] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                organizations_type_0 = cast("list[str]", data)

                return organizations_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast("list[str] | None | Unset", data)

        organizations = _parse_organizations(d.pop("organizations", UNSET))

        def _parse_support_user(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast("bool | None | Unset", data)

        support_user = _parse_support_user(d.pop("supportUser", UNSET))

        def _parse_first_accepted_terms_and_conditions(
            data: object,
        ) -> datetime.datetime | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                first_accepted_terms_and_conditions_type_0 = (
                    datetime.datetime.fromisoformat(data)
                )

                return first_accepted_terms_and_conditions_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast("datetime.datetime | None | Unset", data)

        first_accepted_terms_and_conditions = (
            _parse_first_accepted_terms_and_conditions(
                d.pop("firstAcceptedTermsAndConditions", UNSET)
            )
        )

        def _parse_last_accepted_terms_and_conditions(
            data: object,
        ) -> datetime.datetime | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                last_accepted_terms_and_conditions_type_0 = (
                    datetime.datetime.fromisoformat(data)
                )

                return last_accepted_terms_and_conditions_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast("datetime.datetime | None | Unset", data)

        last_accepted_terms_and_conditions = _parse_last_accepted_terms_and_conditions(
            d.pop("lastAcceptedTermsAndConditions", UNSET)
        )

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

        def _parse_dt_end_access(data: object) -> datetime.datetime | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                dt_end_access_type_0 = datetime.datetime.fromisoformat(data)

                return dt_end_access_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast("datetime.datetime | None | Unset", data)

        dt_end_access = _parse_dt_end_access(d.pop("dtEndAccess", UNSET))

        user = cls(
            id=id,
            version=version,
            email=email,
            first_name=first_name,
            last_name=last_name,
            contact_number=contact_number,
            organizations=organizations,
            support_user=support_user,
            first_accepted_terms_and_conditions=first_accepted_terms_and_conditions,
            last_accepted_terms_and_conditions=last_accepted_terms_and_conditions,
            dt_created=dt_created,
            dt_last_modified=dt_last_modified,
            created_by=created_by,
            last_modified_by=last_modified_by,
            dt_end_access=dt_end_access,
        )

        user.additional_properties = d
        return user

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
