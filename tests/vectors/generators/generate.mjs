// Writes fresh vectors of all five transaction types and of authorizations, as JSON.
//   node generate.mjs SEED COUNT     COUNT of each kind by each library; the same seed, the same vectors
import { Draw, TYPES, authorization, transaction } from "./draw.mjs";
import * as signers from "./signers.mjs";

const [seed, count] = [process.argv[2], Number(process.argv[3])];
if (!seed || !Number.isInteger(count) || count < 1) {
  console.error("usage: node generate.mjs SEED COUNT");
  process.exit(2);
}

async function signed(by, type, privateKey, { authorities, ...terms }) {
  const entries = authorities && (await Promise.all(authorities.map((asked) => signers[by].authorize(asked))));
  const list = entries?.map(({ hash, authority, ...tuple }) => tuple);
  const transaction = { ...terms, ...(list ? { authorizationList: list } : {}) };
  return { by, type, privateKey, transaction, ...(await signers[by].sign(type, privateKey, terms, list)) };
}

const draw = new Draw(seed);
const vectors = { transactions: [], authorizations: [] };
for (let number = 0; number < count; number += 1) {
  const asked = authorization(draw);
  for (const by of Object.keys(signers)) {
    vectors.authorizations.push({ by, privateKey: asked.privateKey, ...(await signers[by].authorize(asked)) });
  }
  for (let type = 0; type < TYPES; type += 1) {
    const [privateKey, terms] = [draw.privateKey(), transaction(draw, type)];
    for (const by of Object.keys(signers)) vectors.transactions.push(await signed(by, type, privateKey, terms));
  }
}
process.stdout.write(JSON.stringify(vectors, (_, value) => (typeof value === "bigint" ? `0x${value.toString(16)}` : value)));
