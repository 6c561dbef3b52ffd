// Tests of packages, one after the other: each prints one line of TAP.
let number = 0

/** @param {string} what @param {() => unknown} body */
export async function test(what, body) {
  const began = performance.now()
  try {
    await body()
    console.log(`ok ${++number} - ${what} (${((performance.now() - began) / 1000).toFixed(1)} s)`)
  } catch (error) {
    console.error(error)
    console.log(`not ok ${++number} - ${what}`)
    process.exitCode = 1
  }
}
