import pytest

from signer.attestation.verify.generations import generation_of_cpu
from signer.attestation.verify.tcb import (
    FIRST_LAYOUT,
    TURIN_LAYOUT,
    Generation,
    Tcb,
    decode_tcb,
    encode_tcb,
)

RAW = bytes((1, 2, 0, 0, 0, 0, 7, 8))
TURIN_RAW = bytes((1, 2, 3, 4, 0, 0, 0, 8))


def test_turin_has_another_layout() -> None:
    assert decode_tcb(RAW, FIRST_LAYOUT) == Tcb(1, 2, 7, 8)
    assert decode_tcb(TURIN_RAW, TURIN_LAYOUT) == Tcb(2, 3, 4, 8, fmc=1)
    assert decode_tcb(RAW, TURIN_LAYOUT) is None
    assert decode_tcb(TURIN_RAW, FIRST_LAYOUT) is None
    assert encode_tcb(Tcb(1, 2, 7, 8), FIRST_LAYOUT) == RAW
    assert encode_tcb(Tcb(2, 3, 4, 8, fmc=1), TURIN_LAYOUT) == TURIN_RAW


def test_a_high_microcode_does_not_hide_a_low_loader() -> None:
    """Compared as one number, the stale TCB would be greater."""
    floor, stale = Tcb(4, 0, 24, 217), Tcb(3, 0, 24, 222)
    assert encode_tcb(stale, FIRST_LAYOUT)[::-1] > encode_tcb(floor, FIRST_LAYOUT)[::-1]
    assert stale.below(floor) == ("boot_loader",)
    assert floor.below(floor) == ()
    assert Tcb(0, 0, 0, 0).below(Tcb(1, 1, 1, 1, fmc=1)) == Tcb._fields


@pytest.mark.parametrize(
    ("family", "models", "generation"),
    [
        (0x19, (0x00, 0x01, 0x0F), Generation.MILAN),
        (0x19, (0x10, 0x11, 0x1F, 0xA0, 0xAF), Generation.GENOA),
        (0x1A, (0x00, 0x02, 0x11), Generation.TURIN),
        (0x19, (0x20, 0x9F, 0xB0, 0xFF), None),
        (0x1A, (0x12, 0x50, 0x57, 0x90, 0xC0), None),
        (0x17, (0x01, 0x31), None),
        (0x00, (0x00,), None),
    ],
)
def test_a_processor_names_its_generation(
    family: int, models: tuple[int, ...], generation: Generation | None
) -> None:
    assert {generation_of_cpu(family, model) for model in models} == {generation}
