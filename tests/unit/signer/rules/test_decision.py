from dataclasses import MISSING, fields

from signer.core.rules.decision import Facts


def test_no_fact_has_a_default() -> None:
    defaults = {one.name for one in fields(Facts) if one.default is not MISSING}
    assert defaults == set()
    assert all(one.default_factory is MISSING for one in fields(Facts))
