import pytest

from signer.custody.errors import KmsKeyNotFoundError
from signer.custody.kms.local import LocalKms
from tests.harness.builders.custody_material import OTHER_ROOT, ROOT, Stream, root_kms

KEY = bytes(range(32))
CONTEXT = b'{"vault":"main"}'


class TestLocalKms:
    def test_names_both_roots_when_a_blob_is_of_another(self) -> None:
        other = root_kms(OTHER_ROOT)
        with pytest.raises(KmsKeyNotFoundError) as caught:
            root_kms().unwrap(other.wrap(KEY, CONTEXT), CONTEXT)
        assert other.key_id in str(caught.value)
        assert root_kms().key_id in str(caught.value)

    def test_a_blob_relabelled_to_this_root_still_does_not_open(self) -> None:
        mine, other = root_kms(), root_kms(OTHER_ROOT)
        head = len(mine.wrap(KEY, CONTEXT)) - len(KEY) - 12 - 16
        forged = mine.wrap(KEY, CONTEXT)[:head] + other.wrap(KEY, CONTEXT)[head:]
        with pytest.raises(Exception, match=" tag"):
            mine.unwrap(forged, CONTEXT)

    def test_its_name_says_that_it_is_software_and_not_what_the_root_is(self) -> None:
        assert root_kms().key_id.startswith("local:")
        assert ROOT.hex()[:32] not in root_kms().key_id

    @pytest.mark.parametrize("size_bytes", [0, 16, 31, 33, 64])
    def test_refuses_a_root_of_another_length(self, size_bytes: int) -> None:
        with pytest.raises(ValueError, match="32 bytes"):
            LocalKms(bytes(size_bytes), Stream())

    def test_works_after_its_caller_wipes_the_root(self) -> None:
        root = bytearray(ROOT)
        kms = LocalKms(root, Stream())
        root[:] = bytes(32)
        assert kms.unwrap(root_kms().wrap(KEY, CONTEXT), CONTEXT) == KEY
