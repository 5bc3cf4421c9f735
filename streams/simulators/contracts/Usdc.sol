// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Erc20} from "./Erc20.sol";

/// @title A dollar token of six decimals, standing at USDC's address in a local genesis.
/// @dev Nobody can mint: genesis storage holds every balance and their sum. No proxy, no blocklist, no permit.
contract Usdc is Erc20 {
    string public constant name = "USD Coin";
    string public constant symbol = "USDC";
    uint8 public constant decimals = 6;
    uint256 public totalSupply;
}
