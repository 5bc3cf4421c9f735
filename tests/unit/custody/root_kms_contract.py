"""What every RootKms must do. An adapter's test class inherits this and says how to build one."""

import pytest

from signer.custody.errors import CorruptError, CustodyError
from signer.custody.kms.port import PLAINTEXT_BYTES_MAX, RootKms

KEY = bytes(range(32))
CONTEXT = b'{"vault":"main"}'


class RootKmsContract:
    def make(self) -> RootKms:
        """Return an adapter on the root key of this test class."""
        raise AssertionError("a contract class says how to make its KMS")

    def make_with_another_root(self) -> RootKms:
        """Return an adapter of the same kind on another root key."""
        raise AssertionError("a contract class says how to make its other KMS")

    def test_gives_back_what_it_wrapped(self) -> None:
        kms = self.make()
        assert kms.unwrap(kms.wrap(KEY, CONTEXT), CONTEXT) == KEY

    @pytest.mark.parametrize("size_bytes", [1, 33, PLAINTEXT_BYTES_MAX])
    def test_wraps_every_size_it_promises(self, size_bytes: int) -> None:
        kms = self.make()
        plaintext = bytes(range(size_bytes))
        assert kms.unwrap(kms.wrap(bytearray(plaintext), CONTEXT), CONTEXT) == plaintext

    @pytest.mark.parametrize("size_bytes", [0, PLAINTEXT_BYTES_MAX + 1])
    def test_refuses_sizes_beyond_its_promise(self, size_bytes: int) -> None:
        with pytest.raises(ValueError, match="wraps 1 to 64 bytes"):
            self.make().wrap(bytes(size_bytes), CONTEXT)

    def test_hands_over_a_buffer_that_can_be_wiped(self) -> None:
        kms = self.make()
        unwrapped = kms.unwrap(kms.wrap(KEY, CONTEXT), CONTEXT)
        assert isinstance(unwrapped, bytearray)

    def test_never_wraps_to_the_same_blob_twice(self) -> None:
        kms = self.make()
        assert kms.wrap(KEY, CONTEXT) != kms.wrap(KEY, CONTEXT)

    def test_does_not_store_what_it_wraps_in_the_blob(self) -> None:
        blob = self.make().wrap(KEY, CONTEXT)
        assert KEY not in blob
        assert CONTEXT not in blob

    @pytest.mark.parametrize("context", [b"", b"{}", CONTEXT + b" ", CONTEXT.upper()])
    def test_refuses_another_context(self, context: bytes) -> None:
        kms = self.make()
        wrapped = kms.wrap(KEY, CONTEXT)
        with pytest.raises(CorruptError):
            kms.unwrap(wrapped, context)

    def test_refuses_every_single_bit_changed(self) -> None:
        kms = self.make()
        wrapped = kms.wrap(KEY, CONTEXT)
        for bit in range(8 * len(wrapped)):
            changed = bytearray(wrapped)
            changed[bit // 8] ^= 1 << bit % 8
            with pytest.raises(CustodyError):
                kms.unwrap(bytes(changed), CONTEXT)

    def test_refuses_every_truncation_and_an_extension(self) -> None:
        kms = self.make()
        wrapped = kms.wrap(KEY, CONTEXT)
        for blob in [wrapped[:size] for size in range(len(wrapped))] + [wrapped + b"\x00"]:
            with pytest.raises(CorruptError):
                kms.unwrap(blob, CONTEXT)

    def test_refuses_the_blob_of_another_root(self) -> None:
        wrapped = self.make_with_another_root().wrap(KEY, CONTEXT)
        with pytest.raises(CustodyError):
            self.make().unwrap(wrapped, CONTEXT)

    def test_keeps_its_name_over_a_restart_and_shares_it_with_no_other_root(self) -> None:
        assert self.make().key_id == self.make().key_id
        assert self.make().key_id != self.make_with_another_root().key_id
        assert 0 < len(self.make().key_id) <= 256
