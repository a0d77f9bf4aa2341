"""Certificates for servers of the rig: good ones, and bad ones of each kind."""

import datetime as dt
import ssl
from pathlib import Path
from typing import Literal

import trustme

Kind = Literal["good", "expired", "self-signed", "wrong host", "unknown authority"]

_LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


class Authority:
    """
    Signs the certificates of one test. Clients trust it where `SSL_CERT_FILE` names `cert_file`.
    """

    def __init__(self) -> None:
        self._ca = trustme.CA()

    def cert_file(self, folder: Path) -> Path:
        """
        Write the authority's own certificate into *folder* and give its path.
        """
        path = folder / "authority.pem"
        self._ca.cert_pem.write_to_path(str(path))
        return path

    def server_context(self, kind: Kind = "good") -> ssl.SSLContext:
        """
        Return the TLS side of a server on 127.0.0.1 whose certificate is of this *kind*.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if kind == "self-signed":
            alone = trustme.CA()
            with alone.private_key_pem.tempfile() as key, alone.cert_pem.tempfile() as cert:
                context.load_cert_chain(cert, key)
            return context
        self._leaf(kind).configure_cert(context)
        return context

    def _leaf(self, kind: Kind) -> trustme.LeafCert:
        if kind == "expired":
            day = dt.timedelta(days=1)
            return self._ca.issue_cert("127.0.0.1", "localhost", not_before=_LONG_AGO, not_after=_LONG_AGO + day)
        if kind == "wrong host":
            return self._ca.issue_cert("elsewhere.invalid")
        signer = trustme.CA() if kind == "unknown authority" else self._ca
        return signer.issue_cert("127.0.0.1", "localhost")
