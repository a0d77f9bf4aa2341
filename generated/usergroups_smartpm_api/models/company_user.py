from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, TypeVar, cast
from uuid import UUID

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="CompanyUser")


@_attrs_define
class CompanyUser:
    """One user of the company, as in a group; but here even the identifier and the address may be absent.

    Attributes:
        id (None | Unset | UUID): The user's identifier. Without it, the user cannot be asked about further.
        email (None | str | Unset): The address that the user is known by.
        first_name (None | str | Unset): The user's given name.
        last_name (None | str | Unset): The user's family name.
        phone_number (None | str | Unset): A telephone number as someone typed it.
        title (None | str | Unset): The user's job title.
        last_login (datetime.datetime | None | Unset): When the user last logged in; null or absent for one who never
            did. Seen with `+00:00`, with `Z`, and without an offset, which this provider documents as UTC.
        login_count (int | None | Unset): How often the user has logged in.
        role (None | str | Unset): What the user may do, such as Admin or Company Read-Only. The list of roles is open.
        sso_user (bool | None | Unset): Whether the user logs in by single sign-on.
        reporting_restricted (bool | None | Unset): Whether reports are withheld from the user.
    """

    id: None | Unset | UUID = UNSET
    email: None | str | Unset = UNSET
    first_name: None | str | Unset = UNSET
    last_name: None | str | Unset = UNSET
    phone_number: None | str | Unset = UNSET
    title: None | str | Unset = UNSET
    last_login: datetime.datetime | None | Unset = UNSET
    login_count: int | None | Unset = UNSET
    role: None | str | Unset = UNSET
    sso_user: bool | None | Unset = UNSET
    reporting_restricted: bool | None | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id: None | str | Unset
        if isinstance(self.id, Unset):
            id = UNSET
        elif isinstance(self.id, UUID):
            id = str(self.id)
        else:
            id = self.id

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

        phone_number: None | str | Unset
        if isinstance(self.phone_number, Unset):
            phone_number = UNSET
        else:
            phone_number = self.phone_number

        title: None | str | Unset
        if isinstance(self.title, Unset):
            title = UNSET
        else:
            title = self.title

        last_login: None | str | Unset
        if isinstance(self.last_login, Unset):
            last_login = UNSET
        elif isinstance(self.last_login, datetime.datetime):
            last_login = self.last_login.isoformat()
        else:
            last_login = self.last_login

        login_count: int | None | Unset
        if isinstance(self.login_count, Unset):
            login_count = UNSET
        else:
            login_count = self.login_count

        role: None | str | Unset
        if isinstance(self.role, Unset):
            role = UNSET
        else:
            role = self.role

        sso_user: bool | None | Unset
        if isinstance(self.sso_user, Unset):
            sso_user = UNSET
        else:
            sso_user = self.sso_user

        reporting_restricted: bool | None | Unset
        if isinstance(self.reporting_restricted, Unset):
            reporting_restricted = UNSET
        else:
            reporting_restricted = self.reporting_restricted

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if id is not UNSET:
            field_dict["id"] = id
        if email is not UNSET:
            field_dict["email"] = email
        if first_name is not UNSET:
            field_dict["firstName"] = first_name
        if last_name is not UNSET:
            field_dict["lastName"] = last_name
        if phone_number is not UNSET:
            field_dict["phoneNumber"] = phone_number
        if title is not UNSET:
            field_dict["title"] = title
        if last_login is not UNSET:
            field_dict["lastLogin"] = last_login
        if login_count is not UNSET:
            field_dict["loginCount"] = login_count
        if role is not UNSET:
            field_dict["role"] = role
        if sso_user is not UNSET:
            field_dict["ssoUser"] = sso_user
        if reporting_restricted is not UNSET:
            field_dict["reportingRestricted"] = reporting_restricted

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)

        def _parse_id(data: object) -> None | Unset | UUID:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                id_type_0 = UUID(data)

                return id_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast("None | Unset | UUID", data)

        id = _parse_id(d.pop("id", UNSET))

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

        def _parse_phone_number(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast("None | str | Unset", data)

        phone_number = _parse_phone_number(d.pop("phoneNumber", UNSET))

        def _parse_title(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast("None | str | Unset", data)

        title = _parse_title(d.pop("title", UNSET))

        def _parse_last_login(data: object) -> datetime.datetime | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                last_login_type_0 = datetime.datetime.fromisoformat(data)

                return last_login_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast("datetime.datetime | None | Unset", data)

        last_login = _parse_last_login(d.pop("lastLogin", UNSET))

        def _parse_login_count(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast("int | None | Unset", data)

        login_count = _parse_login_count(d.pop("loginCount", UNSET))

        def _parse_role(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast("None | str | Unset", data)

        role = _parse_role(d.pop("role", UNSET))

        def _parse_sso_user(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast("bool | None | Unset", data)

        sso_user = _parse_sso_user(d.pop("ssoUser", UNSET))

        def _parse_reporting_restricted(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast("bool | None | Unset", data)

        reporting_restricted = _parse_reporting_restricted(
            d.pop("reportingRestricted", UNSET)
        )

        company_user = cls(
            id=id,
            email=email,
            first_name=first_name,
            last_name=last_name,
            phone_number=phone_number,
            title=title,
            last_login=last_login,
            login_count=login_count,
            role=role,
            sso_user=sso_user,
            reporting_restricted=reporting_restricted,
        )

        company_user.additional_properties = d
        return company_user

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
