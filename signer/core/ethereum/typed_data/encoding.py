"""EIP-712 hashStruct and encodeData."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from signer.core.ethereum.keccak import keccak256
from signer.core.ethereum.typed_data.errors import Code, TypedDataError
from signer.core.ethereum.typed_data.structs import DEPTH_MAX, Struct, shown_name
from signer.core.ethereum.typed_data.values import ELEMENTARY


@dataclass(frozen=True, slots=True)
class Encoder:
    """Validates and hashes values of the struct types of one document.

    Values are parsed JSON. Every nested struct or array counts towards `DEPTH_MAX`; the outermost
    struct counts as one. Source: EIP-712, definitions of hashStruct and encodeData.
    """

    structs: Mapping[str, Struct]

    def hash_struct(self, struct: Struct, value: Any, depth: int = 1) -> bytes:
        """Return the 32-byte hashStruct of a value that has exactly the struct's members.

        Raises TypedDataError with a location relative to the value.
        """
        _require_depth(depth)
        _require_members(struct, value)
        words = [struct.type_hash]
        for name, _, base, lengths in struct.members:
            try:
                words.append(self._encode(base, lengths, value[name], depth))
            except TypedDataError as error:
                raise error.within(name) from None
        return keccak256(b"".join(words))

    def _encode(self, base: str, lengths: tuple[int | None, ...], value: Any, depth: int) -> bytes:
        if lengths:
            return self._hash_array(base, lengths, value, depth + 1)
        elementary = ELEMENTARY.get(base)
        if elementary is not None:
            return elementary(value)
        return self.hash_struct(self.structs[base], value, depth + 1)

    def _hash_array(
        self, base: str, lengths: tuple[int | None, ...], value: Any, depth: int
    ) -> bytes:
        _require_depth(depth)
        _require_length(lengths[-1], value)
        words = []
        for index, item in enumerate(value):
            try:
                words.append(self._encode(base, lengths[:-1], item, depth))
            except TypedDataError as error:
                raise error.within(f"[{index}]") from None
        return keccak256(b"".join(words))


def _require_depth(depth: int) -> None:
    if depth > DEPTH_MAX:
        raise TypedDataError(Code.NESTED_TOO_DEEPLY, f"nests deeper than {DEPTH_MAX}.")


def _require_members(struct: Struct, value: Any) -> None:
    if not isinstance(value, dict):
        raise TypedDataError(Code.OBJECT_EXPECTED, "must be an object.")
    if value.keys() == struct.member_names:
        return
    for member in struct.members:
        if member.name not in value:
            raise TypedDataError(Code.MEMBER_MISSING, "is missing.", member.name)
    unknown = next(name for name in value if name not in struct.member_names)
    raise TypedDataError(Code.MEMBER_UNKNOWN, "is not in the type.", shown_name(unknown))


def _require_length(length: int | None, value: Any) -> None:
    if not isinstance(value, list):
        raise TypedDataError(Code.LIST_EXPECTED, "must be a list.")
    if length is not None and len(value) != length:
        reason = f"has {len(value)} items; it needs {length}."
        raise TypedDataError(Code.ARRAY_LENGTH_WRONG, reason)
