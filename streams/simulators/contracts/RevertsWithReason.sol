// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Refuses every call with a reason string.
contract RevertsWithReason {
    fallback() external payable {
        revert("vault is paused");
    }
}
