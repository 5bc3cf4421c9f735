"""Typed data errors: stable codes and their meanings."""

from enum import StrEnum

from signer.core.ethereum.errors import EthereumError


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


MEANING: dict[Code, str] = {
    Code.DOCUMENT_TOO_LARGE: "The document is over 128 KiB of JSON.",
    Code.NOT_JSON: "The document is not JSON in UTF-8 (NaN and lone surrogates are invalid).",
    Code.KEY_REPEATED: "A name occurs twice in one JSON object.",
    Code.OBJECT_EXPECTED: "A JSON object is required: the document, a struct or the domain.",
    Code.LIST_EXPECTED: "A JSON list is required: an array or the members of a type.",
    Code.TEXT_EXPECTED: "A JSON string is required.",
    Code.MEMBER_MISSING: "A member that the type names is missing.",
    Code.MEMBER_UNKNOWN: "The document has a member that its type does not name.",
    Code.NESTED_TOO_DEEPLY: "Structs and arrays nest deeper than 32, including the message itself.",
    Code.TOO_MANY_TYPES: "There are over 128 types, or they contain each other too often.",
    Code.TYPE_NAME_INVALID: "A type's name is invalid, or is that of an elementary type.",
    Code.MEMBER_NAME_INVALID: "A member's name is invalid.",
    Code.MEMBER_REPEATED: "A type has two members with the same name.",
    Code.TYPE_UNKNOWN: "A member's type is neither elementary nor among the types.",
    Code.TYPE_CYCLIC: "A type contains itself.",
    Code.TYPE_UNUSED: "The primary type does not reach this type.",
    Code.PRIMARY_TYPE_UNKNOWN: "The primary type is not among the types.",
    Code.BOOLEAN_INVALID: "A bool is neither true nor false.",
    Code.INTEGER_INVALID: "An integer is neither a JSON integer nor a decimal or 0x-hex string.",
    Code.INTEGER_OUT_OF_RANGE: "An integer does not fit its type.",
    Code.ADDRESS_INVALID: "An address is not 0x and 40 digits, or breaks its EIP-55 checksum.",
    Code.BYTES_INVALID: "Bytes are not 0x and pairs of hexadecimal digits.",
    Code.BYTES_LENGTH_WRONG: "bytesN is not exactly N bytes.",
    Code.ARRAY_LENGTH_WRONG: "A fixed-size array has the wrong length.",
    Code.DOMAIN_TYPE_MISMATCH: "EIP712Domain does not match the fields of the domain.",
    Code.CHAIN_MISMATCH: "The domain's chainId is not the intent's chain.",
}


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
