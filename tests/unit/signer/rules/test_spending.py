"""Detection of typed data that can spend, under disguises."""

from collections.abc import Iterator
from itertools import product

import pytest

from signer.core.rules.spending import OPAQUE, SPENDING_TYPES, find_spending
from tests.harness.builders.typed_data import DETAILS_MEMBERS, PERMIT_MEMBERS, made_of, mail, read

DAI = "address holder, address spender, uint256 nonce, uint256 expiry, bool allowed"
NFT = "address spender, uint256 tokenId, uint256 nonce, uint256 deadline"
AMOUNT = "address token, uint256 amount"
TRANSFER = "address spender, uint256 nonce, uint256 deadline"
EIP3009 = (
    "address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, "
    "bytes32 nonce"
)
ITEM = "uint8 itemType, address token, uint256 identifierOrCriteria, uint256 startAmount"
ORDER = (
    "address offerer, address zone, Item[] offer, Item[] consideration, uint8 orderType, "
    "uint256 startTime, uint256 endTime, bytes32 zoneHash, uint256 salt, uint256 counter"
)
SWAP = (
    "uint256 salt, address maker, address receiver, address makerAsset, address takerAsset, "
    "uint256 makingAmount, uint256 takingAmount, uint256 makerTraits"
)
COW = (
    "address sellToken, address buyToken, address receiver, uint256 sellAmount, "
    "uint256 buyAmount, uint32 validTo, bytes32 appData, bool partiallyFillable"
)
SAFE = (
    "address to, uint256 value, bytes data, uint8 operation, uint256 safeTxGas, uint256 baseGas, "
    "uint256 gasPrice, address gasToken, address refundReceiver, uint256 nonce"
)
PACKED = (
    "address sender, uint256 nonce, bytes initCode, bytes callData, bytes32 accountGasLimits, "
    "uint256 preVerificationGas, bytes32 gasFees, bytes paymasterAndData"
)
SAFE_OP = (
    "address safe, uint256 nonce, bytes initCode, bytes callData, uint128 verificationGasLimit, "
    "uint128 callGasLimit, uint48 validAfter, uint48 validUntil, address entryPoint"
)
HASHED_OP = PACKED.replace("bytes initCode, bytes callData", "bytes32 initCode, bytes32 callData")
FORWARD = "address from, address to, uint256 value, uint256 gas, uint256 nonce, bytes data"
META = "uint256 nonce, address from, bytes functionSignature"
DELEGATION = (
    "address delegate, address delegator, bytes32 authority, Caveat[] caveats, uint256 salt"
)

KNOWN = [
    (
        "transfer",
        {"HyperliquidTransactionUsdSend": "string destination, string amount, uint64 time"},
    ),
    ("transfer", {"HyperliquidTransactionApproveAgent": "address agentAddress, uint64 nonce"}),
    ("order", {"Maker": "address collection, address currency, uint256 price"}),
    ("order", {"LoanOffer": "address lender, address collection, uint256 totalAmount"}),
    ("permit", {"Permit": PERMIT_MEMBERS}),
    ("permit", {"Permit": DAI}),
    ("permit", {"Permit": NFT}),
    (
        "permit2",
        {
            "PermitSingle": "Details details, address spender, uint256 sigDeadline",
            "Details": DETAILS_MEMBERS,
        },
    ),
    (
        "permit2",
        {
            "PermitBatch": "Details[] details, address spender, uint256 sigDeadline",
            "Details": DETAILS_MEMBERS,
        },
    ),
    ("permit2", {"PermitTransferFrom": f"Token permitted, {TRANSFER}", "Token": AMOUNT}),
    ("permit2", {"PermitBatchTransferFrom": f"Token[] permitted, {TRANSFER}", "Token": AMOUNT}),
    (
        "permit2",
        {
            "PermitWitnessTransferFrom": f"Token permitted, {TRANSFER}, Witness witness",
            "Token": AMOUNT,
            "Witness": "address user",
        },
    ),
    (
        "permit2",
        {
            "PermitBatchWitnessTransferFrom": f"Token[] permitted, {TRANSFER}, Witness witness",
            "Token": AMOUNT,
            "Witness": "address user",
        },
    ),
    ("transfer_authorization", {"TransferWithAuthorization": EIP3009}),
    ("transfer_authorization", {"ReceiveWithAuthorization": EIP3009}),
    ("order", {"OrderComponents": ORDER, "Item": ITEM}),
    ("order", {"BulkOrder": "Components[2][2] tree", "Components": ORDER, "Item": ITEM}),
    ("order", {"Order": SWAP}),
    ("order", {"Order": COW}),
    ("safe_transaction", {"SafeTx": SAFE}),
    ("user_operation", {"UserOperation": PACKED}),
    ("user_operation", {"PackedUserOperation": PACKED}),
    ("user_operation", {"UserOperation": HASHED_OP}),
    ("user_operation", {"SafeOp": SAFE_OP}),
    ("call", {"ForwardRequest": FORWARD}),
    ("call", {"MetaTransaction": META}),
    ("delegation", {"Delegation": DELEGATION, "Caveat": "address enforcer, bytes terms"}),
]
TYPE_OF = {"uint": "uint256", "any": "string", "struct": "Inner"}


def kind(types: dict[str, str], primary: str | None = None) -> str | None:
    return find_spending(read(made_of(primary or next(iter(types)), **types)).structs)


def renamed(types: dict[str, str]) -> dict[str, str]:
    """Rename every struct, and the types of members accordingly."""
    new = {name: f"Greeting{number}" for number, name in enumerate(types)}
    texts = {}
    for name, text in types.items():
        changed = text
        for old in types:
            changed = changed.replace(f"{old} ", f"{new[old]} ").replace(f"{old}[", f"{new[old]}[")
        texts[new[name]] = changed
    return texts


@pytest.mark.parametrize(("expected", "types"), KNOWN)
def test_a_known_type_is_detected_by_its_name(expected: str, types: dict[str, str]) -> None:
    assert kind(types) == expected


@pytest.mark.parametrize(("expected", "types"), KNOWN)
def test_a_type_is_detected_by_its_name_alone(expected: str, types: dict[str, str]) -> None:
    assert kind({next(iter(types)): "bytes32 it"}) == expected


@pytest.mark.parametrize(("expected", "types"), KNOWN)
def test_a_type_deep_in_an_array_is_detected_by_its_name(
    expected: str, types: dict[str, str]
) -> None:
    name = next(iter(types))
    assert kind({"Hello": f"{name}[2][] it", name: "bytes32 it"}) == expected
    assert kind({name: "Hello[2][] it", "Hello": "bytes32 it"}) == expected


@pytest.mark.parametrize("shape", [shape for row in SPENDING_TYPES for shape in row.shapes])
def test_every_shape_is_detected_under_all_its_names(shape: str) -> None:
    for spelt in spellings(shape):
        assert kind({"Hello": spelt, "Inner": "bool it"} if "Inner" in spelt else {"Hello": spelt})


def spellings(shape: str) -> Iterator[str]:
    """Yield the members of a shape for every choice of its alternative names."""
    pairs = [member.split(":") for member in shape.split()]
    choices = [[(wanted, name) for name in names.split("/")] for names, wanted in pairs]
    for chosen in product(*choices):
        yield ", ".join(f"{TYPE_OF.get(wanted, wanted)} {name}" for wanted, name in chosen)


@pytest.mark.parametrize(("_", "types"), KNOWN)
def test_a_renamed_type_is_detected(_: str, types: dict[str, str]) -> None:
    assert not any(part in "greeting0" for row in SPENDING_TYPES for part in row.names)
    assert kind(renamed(types)) is not None


@pytest.mark.parametrize(("_", "types"), KNOWN)
def test_a_renamed_type_deep_in_an_array_is_detected(_: str, types: dict[str, str]) -> None:
    inner = renamed(types)
    outer = {"Hello": "Middle[3][] middle, string text", "Middle": f"{next(iter(inner))} it"}
    assert kind(outer | inner) is not None


@pytest.mark.parametrize(("_", "types"), KNOWN)
def test_a_type_with_more_members_in_another_order_is_detected(
    _: str, types: dict[str, str]
) -> None:
    inner = renamed(types)
    first = next(iter(inner))
    inner[first] = "string memo, " + ", ".join(reversed(inner[first].split(", "))) + ", bool ok"
    assert kind(inner) is not None


@pytest.mark.parametrize(("_", "types"), KNOWN)
def test_members_with_other_case_and_underscores_are_detected(
    _: str, types: dict[str, str]
) -> None:
    inner = renamed(types)
    assert kind({name: _disguised(text) for name, text in inner.items()}) is not None


def _disguised(text: str) -> str:
    pairs = (member.split(" ") for member in text.split(", "))
    return ", ".join(f"{field_type} _{name.upper()}_" for field_type, name in pairs)


@pytest.mark.parametrize(("_", "types"), KNOWN)
def test_a_type_with_other_integer_widths_is_detected(_: str, types: dict[str, str]) -> None:
    texts = {
        name: text.replace("uint256 ", "uint128 ").replace("uint48 ", "int64 ")
        for name, text in renamed(types).items()
    }
    assert kind(texts) is not None


@pytest.mark.parametrize(("_", "types"), KNOWN)
def test_a_type_with_arrays_of_its_values_is_detected(_: str, types: dict[str, str]) -> None:
    texts = {name: text.replace(" ", "[] ").replace(",[] ", ", ") for name, text in types.items()}
    assert kind(renamed(texts)) is not None


@pytest.mark.parametrize("name", ["PERMIT", "permit", "_Permit", "Per_mit", "Permit2", "MyPermit"])
def test_a_name_with_other_case_or_affixes_is_detected(name: str) -> None:
    assert kind({name: "bytes32 it"}) == "permit"


def test_a_permit_split_over_two_structs_is_detected() -> None:
    halves = {
        "Hello": "Who who, What what",
        "Who": "address owner, address spender",
        "What": "uint256 value, uint256 nonce, uint256 deadline",
    }
    assert kind(halves) == "permit"


def test_addresses_encoded_as_integers_are_detected() -> None:
    assert kind({"Hello": PERMIT_MEMBERS.replace("address ", "uint160 ")}) == "permit"
    assert kind({"Hello": EIP3009.replace("address ", "bytes32 ")}) == "transfer_authorization"


def test_a_permit_inside_a_smart_accounts_wrapper_is_detected() -> None:
    wrapper = "Permit contents, string name, string version, uint256 chainId, bytes32 salt"
    assert kind({"TypedDataSign": wrapper, "Permit": PERMIT_MEMBERS}) == "permit"


def test_a_safe_message_is_detected() -> None:
    assert kind({"SafeMessage": "bytes message"}) == "safe_transaction"


def test_a_batch_of_calls_of_a_smart_account_is_detected() -> None:
    calls = {"Execute": "Call[] calls, uint256 nonce", "Call": "address to, bytes data"}
    assert kind(calls) == "call"


@pytest.mark.parametrize(
    "types",
    [
        {"Login": "address wallet, string statement, uint256 nonce, string issuedAt"},
        {"Vote": "address from, string space, uint64 timestamp, bytes32 proposal, uint32 choice"},
        {"Profile": "string name, string bio, bytes32 avatar"},
        {"Ballot": "uint256 proposalId, uint8 support, address voter, uint256 nonce"},
    ],
)
def test_typed_data_that_cannot_spend_is_not_detected(types: dict[str, str]) -> None:
    assert kind(types) is None
    assert find_spending(read(mail()).structs) is None


@pytest.mark.parametrize(
    ("expected", "types"),
    [
        ("transfer", {"Withdraw": "address token, address destination, uint256 amount"}),
        ("permit", {"Approve": "address owner, address guy, uint256 wad"}),
        ("call", {"Batch": "Call[] calls", "Call": "address dest, uint256 gas, bytes func"}),
    ],
)
def test_a_type_is_detected_by_its_members(expected: str, types: dict[str, str]) -> None:
    assert kind(types) == expected


@pytest.mark.parametrize(
    "types",
    [
        {"CoinbaseSmartWalletMessage": "bytes32 hash"},
        {"LightAccountMessage": "bytes message"},
        {"Root": "bytes32 root"},
        {"Hello": "Inner it, string text", "Inner": "bytes32 whatever"},
    ],
)
def test_typed_data_that_shows_only_a_hash_is_opaque(types: dict[str, str]) -> None:
    assert kind(types) == OPAQUE


def test_every_row_of_the_table_has_a_known_type() -> None:
    assert {row.kind for row in SPENDING_TYPES} == {expected for expected, _ in KNOWN}
