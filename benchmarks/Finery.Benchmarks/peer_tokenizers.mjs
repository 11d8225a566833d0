// A peer tokenizer as a process, for benchmarks and parity tests: the published node packages `tokenizers` (HF's Rust library) and
// `tiktoken` (OpenAI's Rust library, compiled to WebAssembly).
//
//   node peer_tokenizers.mjs --npm FOLDER --peer hf|tiktoken --vocabulary NAME [--documents FILE] [--special ordinary]
//
// FOLDER holds node_modules. NAME is a tokenizer.json, or for tiktoken also one of its encodings (cl100k_base, gpt2, ...); from a
// tokenizer.json tiktoken takes token ids as ranks, which is exact for Llama-3. FILE is one JSON string a line. Special tokens in text
// are control tokens unless `--special ordinary`, which only tiktoken knows.
//
// Says `ready SECONDS` (loading) and then answers one command a line:
//   encode, decode, fresh   one timed pass (fresh: of a new tokenizer, nothing cached): `SECONDS TOKENS`
//   write IDS DECODED       ids as int32 (count, then ids, per document) and decoded text as JSON lines: `done`
//   ranks FILE              tiktoken's rank file of this vocabulary: `done`
//   save FILE               HF's own spelling of the tokenizer.json: `done`
import fs from 'node:fs'
import path from 'node:path'
import readline from 'node:readline'
import { createRequire } from 'node:module'

const option = (name) => {
  const index = process.argv.indexOf(`--${name}`)
  return index < 0 ? undefined : process.argv[index + 1]
}
const require = createRequire(path.join(path.resolve(option('npm')), 'node_modules', 'peer.js'))
const vocabulary = option('vocabulary')
const documents = option('documents') ? fs.readFileSync(option('documents'), 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line)) : []
const seconds = (start) => Number(process.hrtime.bigint() - start) / 1e9

/** Documents in groups of about a megabyte, so that results of a pass need not all be in memory at once. */
function* groups() {
  let group = [], size = 0
  for (const text of documents) {
    group.push(text)
    size += text.length
    if (size > 1 << 20) {
      yield group
      group = []
      size = 0
    }
  }
  if (group.length > 0) yield group
}

/** HF's library; RAYON_NUM_THREADS sets its threads. */
class HuggingFace {
  constructor() {
    this.tokenizer = require('tokenizers').Tokenizer.fromFile(vocabulary)
    this.tokenizer.disableTruncation()
    this.tokenizer.disablePadding()
  }

  async encodeAll(take) {
    let tokens = 0
    for (const group of groups()) {
      for (const encoding of await this.tokenizer.encodeBatch(group, { addSpecialTokens: false })) {
        tokens += encoding.getLength()
        take?.(encoding.getIds())
      }
    }
    return tokens
  }

  decode(ids) {
    return this.tokenizer.decode(Array.from(ids), false)
  }

  save(file) {
    require('tokenizers').Tokenizer.fromFile(vocabulary).save(file, true)
  }
}

/** OpenAI's library. */
class Tiktoken {
  constructor() {
    const { Tiktoken } = require('tiktoken/lite')
    const { bpe_ranks, special_tokens, pat_str } = vocabulary.endsWith('.json') ? fromTokenizerJson() : require(`tiktoken/encoders/${vocabulary}.json`)
    this.ranks = bpe_ranks
    this.tokenizer = new Tiktoken(bpe_ranks, special_tokens, pat_str)
    this.utf8 = new TextDecoder()
  }

  async encodeAll(take) {
    let tokens = 0
    const ordinary = option('special') === 'ordinary'
    for (const text of documents) {
      const ids = ordinary ? this.tokenizer.encode_ordinary(text) : this.tokenizer.encode(text, 'all')
      tokens += ids.length
      take?.(ids)
    }
    return tokens
  }

  decode(ids) {
    return this.utf8.decode(this.tokenizer.decode(ids))
  }

  /** The packed form "! FIRST_RANK token token ..." as lines of "token rank". */
  writeRanks(file) {
    const lines = []
    for (const line of this.ranks.split('\n').filter(Boolean)) {
      const [, first, ...tokens] = line.split(' ')
      tokens.forEach((token, i) => lines.push(`${token} ${Number(first) + i}\n`))
    }
    fs.writeFileSync(file, lines.join(''))
  }
}

function fromTokenizerJson() {
  const json = JSON.parse(fs.readFileSync(vocabulary, 'utf8'))
  const printable = (byte) => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
  const bytes = new Map()
  for (let byte = 0, moved = 0; byte < 256; byte++) bytes.set(String.fromCodePoint(printable(byte) ? byte : 0x100 + moved++), byte)
  const tokens = []
  for (const [token, id] of Object.entries(json.model.vocab)) tokens[id] = Buffer.from([...token].map((c) => bytes.get(c))).toString('base64')
  return {
    bpe_ranks: `! 0 ${tokens.join(' ')}`,
    special_tokens: Object.fromEntries(json.added_tokens.map(({ content, id }) => [content, id])),
    pat_str: json.pre_tokenizer.pretokenizers[0].pattern.Regex,
  }
}

const Peer = option('peer') === 'tiktoken' ? Tiktoken : HuggingFace
const start = process.hrtime.bigint()
let peer = new Peer()
console.log(`ready ${seconds(start)}`)

async function answer(command, first, second) {
  if (command === 'encode' || command === 'fresh') {
    if (command === 'fresh') {
      peer.tokenizer.free?.()
      peer = new Peer()
    }
    const start = process.hrtime.bigint()
    const tokens = await peer.encodeAll()
    return `${seconds(start)} ${tokens}`
  }
  if (command === 'decode') {
    const all = []
    await peer.encodeAll((ids) => all.push(Array.from(ids)))
    const start = process.hrtime.bigint()
    let tokens = 0
    for (const ids of all) {
      tokens += ids.length
      await peer.decode(ids)
    }
    return `${seconds(start)} ${tokens}`
  }
  if (command === 'write') {
    const out = fs.openSync(first, 'w'), texts = fs.openSync(second, 'w')
    const all = []
    await peer.encodeAll((ids) => all.push(Int32Array.from(ids)))
    for (const ids of all) {
      fs.writeSync(out, Buffer.from(Int32Array.of(ids.length).buffer))
      if (ids.length > 0) fs.writeSync(out, Buffer.from(ids.buffer))
      fs.writeSync(texts, `${JSON.stringify(await peer.decode(ids))}\n`)
    }
    fs.closeSync(out)
    fs.closeSync(texts)
    return 'done'
  }
  if (command === 'ranks') return peer.writeRanks(first) ?? 'done'
  if (command === 'save') return peer.save(first) ?? 'done'
  throw new Error(`unknown command ${command}`)
}

for await (const line of readline.createInterface({ input: process.stdin })) console.log(await answer(...line.split('\t')))
