"""What the service answers when it refuses.

A status, a code and a sentence (Databricks REST reference, *Errors*;
docs.databricks.com/api/azure/workspace/introduction).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Refusal(Exception):
    """An answer other than 200; `is_scim` gives it the form of RFC 7644, section 3.12."""

    status: int
    code: str
    message: str
    is_scim: bool = False

    def body(self) -> dict[str, object]:
        """Return the answer's JSON."""
        if self.is_scim:
            kind = {"scimType": self.code} if self.code else {}
            return {
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
                "status": str(self.status),
                "detail": self.message,
                **kind,
            }
        return {"error_code": self.code, "message": self.message}


def invalid(message: str) -> Refusal:
    """The request is understood and one of its values is not right."""
    return Refusal(400, "INVALID_PARAMETER_VALUE", message)


def denied(message: str) -> Refusal:
    """The caller is known and may not."""
    return Refusal(403, "PERMISSION_DENIED", message)


def absent(message: str, kind: str = "RESOURCE") -> Refusal:
    """There is no such object; Unity Catalog names the kind: CATALOG_DOES_NOT_EXIST."""
    return Refusal(404, f"{kind}_DOES_NOT_EXIST", message)


def exists(message: str, kind: str = "RESOURCE") -> Refusal:
    """The name is taken.

    The service answers 400, so that the SDK raises ResourceAlreadyExists, or BadRequest for the
    kinds of Unity Catalog.
    """
    return Refusal(400, f"{kind}_ALREADY_EXISTS", message)
