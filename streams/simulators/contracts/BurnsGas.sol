// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Counts until the gas is gone.
contract BurnsGas {
    fallback() external payable {
        uint256 rounds;
        while (true) {
            unchecked {
                ++rounds;
            }
        }
    }
}
