/** Which network it is. */
import { createHash } from 'node:crypto'
import { get, type Network } from './params.ts'

/** SHA-256 of a network's weights: a snapshot also holds when it was made. */
export async function hashNetwork({ params }: Network): Promise<string> {
  const hash = createHash('sha256')
  for (const name of params.keys()) {
    const tensor = get(params, name)
    const { buffer, byteOffset, byteLength } = await tensor.data()
    hash.update(`${name}[${tensor.shape.join()}]`).update(new Uint8Array(buffer, byteOffset, byteLength))
  }
  return hash.digest('hex')
}
