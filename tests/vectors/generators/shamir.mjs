// Splits secrets drawn from a seed, and combines the shares that come as JSON: shares are (y..., x) in hex.
//   node shamir.mjs SEED COUNT '[["ab01", "cd02"], …]'
import { combine, split } from "shamir-secret-sharing";
import { Draw } from "./draw.mjs";

const [seed, count, given] = [process.argv[2], Number(process.argv[3]), process.argv[4]];
if (!seed || !Number.isInteger(count) || count < 1 || !given) {
  console.error("usage: node shamir.mjs SEED COUNT SHARES");
  process.exit(2);
}
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const bytes = (text) => new Uint8Array(Buffer.from(text, "hex"));

const draw = new Draw(seed);
const made = [];
for (let number = 0; number < count; number += 1) {
  const secret = draw.bytes(1 + draw.below(64)).slice(2);
  const shares = 2 + draw.below(6);
  const threshold = 2 + draw.below(shares - 1);
  made.push({ secret, threshold, shares: (await split(bytes(secret), shares, threshold)).map(hex) });
}
const combined = await Promise.all(JSON.parse(given).map(async (shares) => hex(await combine(shares.map(bytes)))));
process.stdout.write(JSON.stringify({ made, combined }));
