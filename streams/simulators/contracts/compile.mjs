// Compiles every .sol file of this folder into contracts.json; the same sources always give the same bytes.
//   node compile.mjs           writes contracts.json
//   node compile.mjs --check   writes nothing, ends with 1 when contracts.json is not what the sources give
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import sha3 from "js-sha3";
import solc from "solc";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const output = here("contracts.json");
const sources = Object.fromEntries(
  readdirSync(here("."))
    .filter((name) => name.endsWith(".sol"))
    .sort()
    .map((name) => [name, readFileSync(here(name), "utf8")]),
);

// Cancun is the newest rule set of the EVM that runs this code (pyrevm). Without metadata the byte code depends on
// nothing but source text, compiler and these settings.
const settings = {
  evmVersion: "cancun",
  metadata: { appendCBOR: false, bytecodeHash: "none" },
  optimizer: { enabled: true, runs: 200 },
};
const outputSelection = {
  "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "evm.methodIdentifiers", "storageLayout"] },
};

function compile() {
  const input = {
    language: "Solidity",
    sources: Object.fromEntries(Object.entries(sources).map(([name, content]) => [name, { content }])),
    settings: { ...settings, outputSelection },
  };
  const result = JSON.parse(solc.compile(JSON.stringify(input)));
  const problems = result.errors ?? [];
  if (problems.length > 0) {
    throw new Error(problems.map((problem) => problem.formattedMessage).join("\n"));
  }
  return Object.values(result.contracts).flatMap(Object.entries);
}

const selector = (signature) => `0x${sha3.keccak256(signature).slice(0, 8)}`;

function errorSignatures(abi) {
  return abi
    .filter((entry) => entry.type === "error")
    .map((entry) => `${entry.name}(${entry.inputs.map((parameter) => parameter.type).join(",")})`);
}

function describe({ abi, evm, storageLayout }) {
  return {
    abi,
    creation_code: `0x${evm.bytecode.object}`,
    errors: Object.fromEntries(errorSignatures(abi).map((signature) => [selector(signature), signature])),
    methods: Object.fromEntries(Object.entries(evm.methodIdentifiers).map(([name, id]) => [name, `0x${id}`])),
    runtime_code: `0x${evm.deployedBytecode.object}`,
    storage_slots: Object.fromEntries((storageLayout.storage ?? []).map((entry) => [entry.label, Number(entry.slot)])),
  };
}

function sorted(value) {
  if (Array.isArray(value) || value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

const concrete = compile().filter(([, contract]) => contract.evm.bytecode.object !== "");
const document = {
  compiler: solc.version(),
  contracts: Object.fromEntries(concrete.map(([name, contract]) => [name, describe(contract)])),
  settings,
  sources_sha256: Object.fromEntries(
    Object.entries(sources).map(([name, text]) => [name, createHash("sha256").update(text).digest("hex")]),
  ),
};
const text = `${JSON.stringify(sorted(document), null, 1)}\n`;

if (!process.argv.includes("--check")) {
  writeFileSync(output, text);
} else if (readFileSync(output, "utf8") !== text) {
  console.error("contracts.json is not what the sources compile to: run make contracts and commit the result.");
  process.exit(1);
}
