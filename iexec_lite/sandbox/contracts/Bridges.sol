// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.24;

/// The two ends of a token bridge for a sandbox, with the interface of iExec's: limits, and an event
/// for each transfer that arrives. The owner stands for the validators: it alone says what was paid
/// in at the other end, and each payment is paid out once.
abstract contract Bridge {
    address public immutable owner = msg.sender;
    uint256 public immutable minPerTx;
    uint256 public immutable maxPerTx;
    uint256 public immutable dailyLimit;
    mapping(uint256 => uint256) public totalSpentPerDay;
    mapping(bytes32 => bool) public paid;

    constructor(uint256 least, uint256 most, uint256 daily) {
        minPerTx = least;
        maxPerTx = most;
        dailyLimit = daily;
    }

    function getCurrentDay() public view returns (uint256) {
        return block.timestamp / 1 days;
    }

    function withinLimit(uint256 amount) public view returns (bool) {
        uint256 spent = totalSpentPerDay[getCurrentDay()];
        return amount >= minPerTx && amount <= maxPerTx && spent + amount <= dailyLimit;
    }

    function _once(bytes32 transactionHash) internal {
        require(msg.sender == owner, "not-a-validator");
        require(!paid[transactionHash], "paid-before");
        paid[transactionHash] = true;
    }
}

interface IToken {
    function transfer(address to, uint256 value) external returns (bool);
}

/// On the chain where RLC is a token. It is paid by a plain transfer, of which it does not hear.
contract ForeignBridge is Bridge {
    IToken public immutable token;

    event RelayedMessage(address recipient, uint256 value, bytes32 transactionHash);

    constructor(IToken rlc, uint256 least, uint256 most, uint256 daily) Bridge(least, most, daily) {
        token = rlc;
    }

    function relayMessage(address recipient, uint256 value, bytes32 transactionHash) external {
        _once(transactionHash);
        require(token.transfer(recipient, value), "transfer-failed");
        emit RelayedMessage(recipient, value, transactionHash);
    }
}

/// On the chain whose coin is RLC.
contract HomeBridge is Bridge {
    event AffirmationCompleted(address recipient, uint256 value, bytes32 transactionHash);
    event UserRequestForSignature(address recipient, uint256 value);

    constructor(uint256 least, uint256 most, uint256 daily) payable Bridge(least, most, daily) {}

    receive() external payable {
        require(withinLimit(msg.value), "outside-the-limits");
        totalSpentPerDay[getCurrentDay()] += msg.value;
        emit UserRequestForSignature(msg.sender, msg.value);
    }

    function executeAffirmation(address payable recipient, uint256 value, bytes32 transactionHash)
        external
    {
        _once(transactionHash);
        (bool done, ) = recipient.call{value: value}("");
        require(done, "transfer-failed");
        emit AffirmationCompleted(recipient, value, transactionHash);
    }
}
