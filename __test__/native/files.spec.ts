import test from 'ava'
import { crc32c, DataError, lockFile } from '../../ts/native/index.ts'

test('crc32c gives the check values of RFC 3720, in one piece or several', (t) => {
  t.is(crc32c(Buffer.from('123456789')), 0xe3069283)
  t.is(crc32c(Buffer.from('6789'), crc32c(Buffer.from('12345'))), 0xe3069283)
  t.is(crc32c(new Uint8Array(0)), 0)
})

test('crc32c of a part of a buffer is that of its bytes', (t) => {
  const values = new Float32Array([1, 2, 3, 4])
  const bytes = new Uint8Array(values.buffer, 4, 8)
  t.is(crc32c(bytes), crc32c(Uint8Array.from(bytes)))
})

const ifUnix = process.platform === 'win32' ? test.skip : test
ifUnix('an error of the system has its code, as Node.js has it', (t) => {
  const path = '/gone/.lock'
  t.throws(() => lockFile(path, ''), { instanceOf: DataError, message: `${path}: No such file or directory (ENOENT)` })
})
