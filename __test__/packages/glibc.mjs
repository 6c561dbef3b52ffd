// What a compiled file asks of the C library.

/** The newest version of glibc that an ELF file names, as [2, 17]. @param {Buffer} bytes @returns {[number, number]} */
export function newestGlibc(bytes) {
  const names = bytes.toString('latin1').matchAll(/\0GLIBC_(\d+)\.(\d+)(?:\.\d+)?(?=\0)/g)
  /** @type {[number, number][]} */
  const versions = [...names].map((name) => [Number(name[1]), Number(name[2])])
  return versions.sort((a, b) => b[0] - a[0] || b[1] - a[1])[0] ?? [0, 0]
}
