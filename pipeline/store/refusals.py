"""What a server refuses: a login, a permission, a certificate; each told in a line without a password in it."""

import os
import re

from requests import HTTPError

USER = "MLFLOW_TRACKING_USERNAME"
PASSWORD = "MLFLOW_TRACKING_PASSWORD"  # noqa: S105 - the name of a variable
CERTIFICATE = "MLFLOW_TRACKING_SERVER_CERT_PATH"


def describe_refusal(error: Exception) -> str | None:
    """Say what a server refused, what it expected and what to do; None for an error of another kind."""
    user = os.environ.get(USER)
    status = status_of(error)
    if status == 401:
        return (
            f"the server refuses the login ({f'as {user}' if user else 'no user is named'}); expected a user and "
            f"password that it knows. Set {USER} and {PASSWORD} and run again"
        )
    if status == 403:
        reason = " ".join(str(error).partition("Response body: ")[2].split()) or "403"
        return (
            f"the server does not let {user or 'this user'} do this ({reason[:100]}); expected a user with permission "
            "to edit. Ask the server's administrator for it and run again"
        )
    if "CertificateVerif" in str(error) or "SSLCertVerif" in str(error):
        return (
            "the server's certificate is not trusted here; expected one that this machine knows. "
            f"Set {CERTIFICATE} to the file of the certificate and run again"
        )
    return None


def status_of(error: Exception) -> int | None:
    """Return the HTTP status that an error came with: MLflow writes it into its message, requests keeps the answer."""
    if isinstance(error, HTTPError) and error.response is not None:
        return int(error.response.status_code)
    found = re.search(r"failed with error code (\d{3}) ", str(error))
    return int(found[1]) if found else None


def hide_password(text: str) -> str:
    """Take passwords out of a text: those within addresses, and the one in the environment."""
    text = re.sub(r"(://[^/\s:@]*):[^\s@]*@", r"\1:***@", text)
    password = os.environ.get(PASSWORD)
    return text.replace(password, "***") if password else text
