/** Damage to files: what disks, networks, editors and people with bad intentions do to them. */
import { crc32 } from 'node:zlib'
import type { Random } from './trial.ts'

type Damage = (bytes: Buffer, random: Random, other: Buffer) => Buffer

const numbers = [0, 1, 2, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff]
const words = [
  ...['-1', '0', '1e308', '-0', '0.5', '99999999999999999999', '4294967296', '2147483648', 'NaN', 'null', 'true'],
  ...['[]', '{}', '""', '"\\u001b[31m"', '"__proto__"', '[[[[', 'false', '1e-400', '65536', '17'],
]

/** Where damage begins: half of the time near an end, where headers and directories are. */
function place(bytes: Buffer, random: Random): number {
  const near = Math.min(bytes.length, random.pick([16, 64, 512, 4096]))
  if (random.chance(0.4)) return random.below(near)
  return random.chance(0.25) ? bytes.length - near + random.below(near) : random.below(bytes.length)
}

const span = (random: Random) => random.pick([1, 2, 4, 8, 16, 64, 300, 5000])

const damages: readonly Damage[] = [
  function flip(bytes, random) {
    const copy = Buffer.from(bytes)
    const at = place(copy, random)
    copy[at] = copy[at]! ^ (1 << random.below(8))
    return copy
  },
  function overwrite(bytes, random) {
    const copy = Buffer.from(bytes)
    copy[place(copy, random)] = random.below(256)
    return copy
  },
  function truncate(bytes, random) {
    return bytes.subarray(0, place(bytes, random))
  },
  function extend(bytes, random) {
    return Buffer.concat([bytes, Buffer.alloc(span(random), random.below(256))])
  },
  function number(bytes, random) {
    const copy = Buffer.from(bytes)
    const width = random.pick([1, 2, 4, 8])
    if (copy.length < width) return copy
    const at = Math.min(place(copy, random), copy.length - width)
    const value = random.chance(0.3) ? copy.length + random.below(9) - 4 : random.pick(numbers)
    const text = Buffer.alloc(8)
    if (random.chance(0.5)) {
      text.writeBigUInt64LE(
        (BigInt(Math.max(0, value)) * (random.chance(0.2) ? 0x100000001n : 1n)) & 0xffffffffffffffffn,
      )
      text.copy(copy, at, 0, width)
    } else {
      text.writeBigUInt64BE(BigInt(Math.max(0, value)))
      text.copy(copy, at, 8 - width, 8)
    }
    return copy
  },
  function splice(bytes, random, other) {
    const [from, at] = [place(other, random), place(bytes, random)]
    const part = other.subarray(from, from + span(random))
    return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(random.chance(0.5) ? at : at + part.length)])
  },
  function remove(bytes, random) {
    const at = place(bytes, random)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + span(random))])
  },
  function repeat(bytes, random) {
    const at = place(bytes, random)
    const part = bytes.subarray(at, at + span(random))
    const copies = Array<Buffer>(random.pick([1, 2, 100])).fill(part)
    return Buffer.concat([bytes.subarray(0, at), ...copies, bytes.subarray(at)])
  },
  function word(bytes, random) {
    const text = bytes.toString('latin1')
    const found = [...text.slice(0, 100_000).matchAll(/-?\d+(\.\d+)?|"[^"\\]{0,40}"|\b(true|false|null)\b/g)]
    if (found.length === 0) return bytes
    const { 0: old, index } = random.pick(found)
    const next = random.pick(words)
    // Half of the time of the same length, so that what counts bytes still holds.
    const fitted = random.chance(0.5) ? next.slice(0, old.length).padEnd(old.length) : next
    return Buffer.from(text.slice(0, index) + fitted + text.slice(index + old.length), 'latin1')
  },
]

/** One to four damages; checksums in PNG files are made right half of the time, so that what they protect is read. */
export function mutate(bytes: Buffer, random: Random, other: Buffer): Buffer {
  let damaged = bytes
  const times = random.pick([1, 1, 1, 2, 4])
  for (let i = 0; i < times; i++) damaged = random.pick(damages)(damaged, random, other)
  return random.chance(0.5) ? mendPng(damaged) : damaged
}

const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10])

function mendPng(file: Buffer): Buffer {
  if (!file.subarray(0, 8).equals(signature)) return file
  const mended = Buffer.from(file)
  for (let at = 8; at + 12 <= mended.length;) {
    const end = at + 8 + mended.readUInt32BE(at)
    if (end + 4 > mended.length) break
    mended.writeUInt32BE(crc32(mended.subarray(at + 4, end)), end)
    at = end + 4
  }
  return mended
}
