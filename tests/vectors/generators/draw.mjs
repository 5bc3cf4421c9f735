// Draws what to sign from a seed: the same seed always gives the same transactions.
import { createHash } from "node:crypto";

export class Draw {
  #seed;
  #count = 0;

  constructor(seed) {
    this.#seed = seed;
  }

  // Every draw hashes the seed and its own number, so there is nothing to carry over.
  #digest() {
    this.#count += 1;
    return createHash("sha256").update(`${this.#seed}/${this.#count}`).digest();
  }

  below(limit) {
    return Number(BigInt(`0x${this.#digest().toString("hex")}`) % BigInt(limit));
  }

  bytes(size) {
    const parts = [];
    for (let made = 0; made < size; made += 32) parts.push(this.#digest());
    return `0x${Buffer.concat(parts).subarray(0, size).toString("hex")}`;
  }

  // Of every length: uniform numbers would nearly all be as long as can be.
  uint(bits) {
    const length = this.below(bits + 1);
    return length === 0 ? 0n : BigInt(this.bytes(32)) >> BigInt(256 - length);
  }

  list(most, item) {
    return Array.from({ length: this.below(most + 1) }, item);
  }

  privateKey() {
    return `0x00${this.bytes(30).slice(2)}01`; // never zero, always below the order of the curve
  }
}

const CHAIN_ID_BITS = 50; // both libraries work out v of type 0 in JavaScript's numbers

const accessList = (draw) =>
  draw.list(3, () => ({ address: draw.bytes(20), storageKeys: draw.list(3, () => draw.bytes(32)) }));

const versionedHash = (draw) => `0x01${draw.bytes(31).slice(2)}`;

function feeMarket(draw) {
  const [low, high] = [draw.uint(256), draw.uint(256)].sort((a, b) => (a < b ? -1 : 1));
  return { maxPriorityFeePerGas: low, maxFeePerGas: high, accessList: accessList(draw) };
}

const TERMS = [
  (draw) => ({ gasPrice: draw.uint(256) }),
  (draw) => ({ gasPrice: draw.uint(256), accessList: accessList(draw) }),
  feeMarket,
  (draw) => ({
    ...feeMarket(draw),
    maxFeePerBlobGas: draw.uint(256),
    blobVersionedHashes: [versionedHash(draw), ...draw.list(5, () => versionedHash(draw))],
  }),
  (draw) => ({ ...feeMarket(draw), authorities: [authorization(draw), ...draw.list(3, () => authorization(draw))] }),
];
export const TYPES = TERMS.length;

export function authorization(draw) {
  return {
    privateKey: draw.privateKey(),
    chainId: Number(draw.uint(CHAIN_ID_BITS)),
    address: draw.bytes(20),
    nonce: Number(draw.uint(53)),
  };
}

export function transaction(draw, type) {
  const creates = type < 3 && draw.below(5) === 0;
  return {
    chainId: 1 + Number(draw.uint(CHAIN_ID_BITS)),
    nonce: Number(draw.uint(53)),
    gas: draw.uint(64),
    ...(creates ? {} : { to: draw.bytes(20) }),
    value: draw.uint(256),
    data: draw.bytes(draw.below(2) * draw.below(200)),
    ...TERMS[type](draw),
  };
}
