import test from 'ava'
import { shown, shownLine } from '../../ts/files/shown.ts'

test('terminal escapes, line breaks and marks of direction are shown, not obeyed', (t) => {
  t.is(shown('\u001b]0;title\u0007\u001b[2J'), '\\u001b]0;title\\u0007\\u001b[2J')
  t.is(shown('a\r\nb\u009bc\u202ed\u2028'), 'a\\u000d\\u000ab\\u009bc\\u202ed\\u2028')
})

test('names in any script stay as they are', (t) => {
  for (const name of ['G/4x4/Const', 'größe', '写真/猫.png', 'смех', '😀']) t.is(shown(name), name)
})

test('a line is shown whole, as one line', (t) => {
  t.is(shownLine(`${'x'.repeat(1000)}\n\u001b`), `${'x'.repeat(1000)}\\u000a\\u001b`)
})

test('what is very long is cut', (t) => {
  t.is(shown('x'.repeat(1e6)).length, 201)
})
