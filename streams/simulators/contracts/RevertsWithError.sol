// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Refuses every call with a custom error.
contract RevertsWithError {
    error VaultClosed(uint256 reopensAt);

    fallback() external payable {
        revert VaultClosed(1893456000);
    }
}
