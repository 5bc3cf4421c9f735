"""Typed data errors with stable codes; ``docs/signing.md`` says what each means."""

from enum import StrEnum

from signer.core.errors import EthereumError


class Code(StrEnum):
    """The code of a typed data error; a code never changes its meaning."""

    # the document
    DOCUMENT_TOO_LARGE = "document_too_large"
    NOT_JSON = "not_json"
    KEY_REPEATED = "key_repeated"
    OBJECT_EXPECTED = "object_expected"
    LIST_EXPECTED = "list_expected"
    TEXT_EXPECTED = "text_expected"
    MEMBER_MISSING = "member_missing"
    MEMBER_UNKNOWN = "member_unknown"
    NESTED_TOO_DEEPLY = "nested_too_deeply"
    # the types
    TOO_MANY_TYPES = "too_many_types"
    TYPE_NAME_INVALID = "type_name_invalid"
    MEMBER_NAME_INVALID = "member_name_invalid"
    MEMBER_REPEATED = "member_repeated"
    TYPE_UNKNOWN = "type_unknown"
    TYPE_CYCLIC = "type_cyclic"
    TYPE_UNUSED = "type_unused"
    PRIMARY_TYPE_UNKNOWN = "primary_type_unknown"
    # the values
    BOOLEAN_INVALID = "boolean_invalid"
    INTEGER_INVALID = "integer_invalid"
    INTEGER_OUT_OF_RANGE = "integer_out_of_range"
    ADDRESS_INVALID = "address_invalid"
    BYTES_INVALID = "bytes_invalid"
    BYTES_LENGTH_WRONG = "bytes_length_wrong"
    ARRAY_LENGTH_WRONG = "array_length_wrong"
    # the domain
    DOMAIN_TYPE_MISMATCH = "domain_type_mismatch"
    CHAIN_MISMATCH = "chain_mismatch"


class TypedDataError(EthereumError):
    """Typed data is invalid; has a stable code and the location (``message.to[0].wallet``).

    ``location`` repeats only well-formed names of the document, ``reason`` nothing of it.
    """

    def __init__(self, code: Code, reason: str, location: str = "") -> None:
        super().__init__(location, reason)
        self.code = code

    def within(self, outer: str) -> "TypedDataError":
        """Return the same error with its location relative to the enclosing value."""
        dot = "." if self.location and not self.location.startswith("[") else ""
        return TypedDataError(self.code, self.reason, f"{outer}{dot}{self.location}")
