// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

interface IToken {
    function balanceOf(address owner) external view returns (uint256);
    function transfer(address to, uint256 value) external returns (bool);
    function transferFrom(address from, address to, uint256 value) external returns (bool);
}

interface IWrappedEther is IToken {
    function deposit() external payable;
}

/// @title A swap router that is its own pool: what it holds of two tokens are the reserves of their pair.
/// @dev Callers use it exactly as Uniswap's SwapRouter02 (same struct, same selector 0x04e45aaf), but the price is the
///      constant product x * y = k, so there is no tick, no price limit and no pool per fee.
contract Router {
    struct ExactInputSingleParams {
        address tokenIn;
        address tokenOut;
        uint24 fee;
        address recipient;
        uint256 amountIn;
        uint256 amountOutMinimum;
        uint160 sqrtPriceLimitX96;
    }

    uint256 private constant FEE_UNIT = 1_000_000;

    /// Set by the genesis: a local chain has no deployment transaction to run a constructor.
    address public WETH9;

    function exactInputSingle(ExactInputSingleParams calldata params) external payable returns (uint256 amountOut) {
        require(params.sqrtPriceLimitX96 == 0, "Price limit not supported");
        require(params.fee < FEE_UNIT, "Fee too high");
        amountOut = quote(params.tokenIn, params.tokenOut, params.fee, params.amountIn);
        require(amountOut >= params.amountOutMinimum, "Too little received");
        _collect(params.tokenIn, params.amountIn);
        require(IToken(params.tokenOut).transfer(params.recipient, amountOut), "Payout failed");
    }

    function quote(address tokenIn, address tokenOut, uint24 fee, uint256 amountIn) public view returns (uint256) {
        uint256 reserveIn = IToken(tokenIn).balanceOf(address(this));
        uint256 reserveOut = IToken(tokenOut).balanceOf(address(this));
        uint256 charged = (amountIn * (FEE_UNIT - fee)) / FEE_UNIT;
        return (charged * reserveOut) / (reserveIn + charged);
    }

    function _collect(address token, uint256 amount) private {
        if (msg.value == 0) {
            require(IToken(token).transferFrom(msg.sender, address(this), amount), "Payment failed");
        } else {
            require(token == WETH9 && msg.value == amount, "Value is not amountIn");
            IWrappedEther(token).deposit{value: amount}();
        }
    }
}
