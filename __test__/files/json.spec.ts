/** JSON that anybody may have written. */
import test from 'ava'
import { parseJson } from '../../ts/files/json.ts'

test('what is no JSON is refused by its place, without a part of the text', (t) => {
  t.throws(() => parseJson('{"a": 1,\n"b": >4}'), {
    instanceOf: SyntaxError,
    message: 'no JSON: expected value at line 2 column 6',
  })
  t.throws(() => parseJson(''), { message: /^no JSON: EOF/ })
})

test('JSON that is deeper than expected is refused, whatever its texts hold', (t) => {
  t.throws(() => parseJson('['.repeat(17) + ']'.repeat(17)), {
    message: 'JSON of at most 16 levels is expected, got more',
  })
  t.deepEqual(parseJson(`["${'['.repeat(99)}"]`), ['['.repeat(99)])
})
