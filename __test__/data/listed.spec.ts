/** What may stand in dataset.json, and the line that is named where something else does. */
import test from 'ava'
import { parseListed, quickly } from '../../ts/data/listed.ts'
import { DataError } from '../../ts/native/index.ts'

const listed = (content: string | Uint8Array) => parseListed('dataset.json', Buffer.from(content))

test('labels are read with a byte-order mark and without, and null is none', (t) => {
  const text = '{"labels": [["a.png", 0], ["b.png", 1], ["a.png", 0]], "attributes": ["hat"]}'
  for (const mark of ['', '\ufeff']) {
    const { labels, attributes } = listed(mark + text)!
    t.deepEqual(
      [[...labels], attributes],
      [
        [
          ['a.png', 0],
          ['b.png', 1],
        ],
        ['hat'],
      ],
    )
  }
  t.is(listed('{"labels": null}'), undefined)
  t.is(listed('{"name": "photos"}'), undefined)
})

const faults: readonly (readonly [what: string, content: string | Uint8Array, message: RegExp])[] = [
  ['a trailing comma', '{"labels": [["a.png", 0],\n]}', /: JSON is expected, got trailing comma at line 2 column 1$/],
  [
    'a text that was cut',
    '{"labels": [["a.p',
    /: JSON is expected, got EOF while parsing a string at line 1 column 17$/,
  ],
  ['an empty file', '', /: .* is expected, the file is empty \(0 bytes\)$/],
  ['a file of blanks', ' \n', /: JSON is expected, got EOF while parsing a value at line 2 column 0$/],
  ['UTF-16', Buffer.from('\ufeff{"labels": []}', 'utf16le'), /: UTF-8 is expected, got UTF-16; save it as UTF-8$/],
  ['UTF-16 without a mark', Buffer.from('{"labels": []}', 'utf16le'), /: UTF-8 is expected, got UTF-16/],
  ['Latin-1', Buffer.from('{"labels": [["\xe4.png", 0]]}', 'latin1'), /: UTF-8 is expected, got other bytes/],
  ['a list', '[["a.png", 0]]', /, line 1: \{"labels": .*\} is expected, got a list \(\[\["a.png",0\]\]\)$/],
  ['an object of labels', '{\n"labels":\n{"a.png": 0}}', /, line 3: labels must be a list as in .*, got an object/],
  ['numbers', '{"labels": [0, 1]}', /, line 1: entry 1 of labels must be a pair as in .*, got 0$/],
  [
    'a null entry',
    '{"x": [1],\n"labels": [\n["a,]b.png", 0],\nnull]}',
    /, line 4: entry 2 of labels must be a pair .*, got null$/,
  ],
  ['attributes without names', '{"labels": [], "attributes": [1]}', /: attributes must be a list of names/],
  [
    'two labels of one image',
    '{"labels": [["a.png", 0],\n["b.png", 1],\n["a.png", 1]]}',
    /, line 3: an image has one label, a\.png has another one in line 1$/,
  ],
  ['an escape', '{"labels": [["\\u001b[2J", 0],\n["\\u001b[2J", 1]]}', /has one label, \\u001b\[2J has another/],
]

for (const [what, content, message] of faults) {
  test(`${what} is refused with its place`, (t) => {
    const error = t.throws(() => listed(content), { instanceOf: DataError })
    t.regex(error.message, message)
  })
}

test('labels in the order of the images are read without keeping the text, and all others in the other way', (t) => {
  const names = ['a/x.png', 'b "2" é.png', 'c.png']
  const images = { count: names.length, name: (index: number) => names[index]! }
  const read = (text: string) => quickly(Buffer.from(text), images)
  const pairs = names.map((name, i) => [name, 2 - i])
  for (const text of [JSON.stringify({ labels: pairs }), JSON.stringify({ labels: pairs, name: 1 }, null, 2)]) {
    t.deepEqual(read(text), { names: ['0', '1', '2'], of: [2, 1, 0] })
  }
  t.deepEqual(read(JSON.stringify({ labels: pairs, classes: ['x', 'y', 'z'] }))?.names, ['x', 'y', 'z'])
  const others: object[] = [
    { labels: pairs.slice(1) },
    { labels: [...pairs, ['d.png', 1]] },
    { labels: [...pairs].reverse() },
    { labels: names.map((name) => [name, [0, 1]]) },
    { labels: names.map((name) => [name, 16_384]) },
    { labels: pairs, attributes: ['hat'] },
    { name: 'photos', labels: pairs },
  ]
  for (const other of others) t.is(read(JSON.stringify(other)), undefined)
  const text = JSON.stringify({ labels: pairs })
  for (const broken of [
    text.slice(0, -1),
    text.replace('],[', ']['),
    text.replace('],[', '],,['),
    '{"labels": null}',
  ]) {
    t.is(read(broken), undefined, broken)
  }
})
