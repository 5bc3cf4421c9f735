// Two libraries that share nothing but their elliptic curve sign the same terms; each answers with what it made.
import { SigningKey, Transaction, Wallet, getAddress, hashAuthorization as ethersHash } from "ethers";
import { keccak256, serializeTransaction } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { hashAuthorization as viemHash } from "viem/utils";

const VIEM_TYPES = ["legacy", "eip2930", "eip1559", "eip4844", "eip7702"];

const entry = ({ chainId, address, nonce }, { yParity, r, s }) => ({ chainId, address, nonce, yParity, r, s });

export const ethers = {
  authorize({ privateKey, ...terms }) {
    const { signature } = new Wallet(privateKey).authorizeSync(terms);
    return { ...entry(terms, signature), hash: ethersHash(terms), authority: new Wallet(privateKey).address };
  },

  async sign(type, privateKey, terms, authorizationList) {
    const { gas, to, ...rest } = terms;
    const tx = Transaction.from({ type, ...rest, gasLimit: gas, to: to && getAddress(to) });
    if (authorizationList) {
      tx.authorizationList = authorizationList.map(({ yParity, r, s, ...asked }) => ({ ...asked, signature: { yParity, r, s } }));
    }
    const unsigned = tx.unsignedSerialized;
    tx.signature = new SigningKey(privateKey).sign(tx.unsignedHash);
    return { unsigned, signingHash: tx.unsignedHash, signed: tx.serialized, hash: tx.hash, from: tx.from };
  },
};

export const viem = {
  async authorize({ privateKey, ...terms }) {
    const account = privateKeyToAccount(privateKey);
    const signed = await account.signAuthorization(terms);
    return { ...entry(terms, signed), hash: viemHash(terms), authority: account.address };
  },

  async sign(type, privateKey, terms, authorizationList) {
    const account = privateKeyToAccount(privateKey);
    const tx = { ...terms, type: VIEM_TYPES[type], ...(authorizationList ? { authorizationList } : {}) };
    const [unsigned, signed] = [serializeTransaction(tx), await account.signTransaction(tx)];
    return { unsigned, signingHash: keccak256(unsigned), signed, hash: keccak256(signed), from: account.address };
  },
};
