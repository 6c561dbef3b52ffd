/** Labels in a CSV file beside images. */
import test from 'ava'
import { csvRows, readCsv } from '../../ts/data/csv.ts'
import { DataError } from '../../ts/native/index.ts'

const images = (...names: string[]) => ({ count: names.length, name: (index: number) => names[index]! })
const read = (text: string, ...names: string[]) => readCsv('labels.csv', Buffer.from(text), images(...names))

test('rows have cells in quotes, of several lines, and any line ends', (t) => {
  const rows = [...csvRows('a, b ,c\r\n"x,1","say ""hi""",\n\n"two\nlines",z,"" \n'.replace(' \n', '\n'))]
  t.deepEqual(rows, [
    { cells: ['a', 'b', 'c'], line: 1 },
    { cells: ['x,1', 'say "hi"', ''], line: 2 },
    { cells: ['two\nlines', 'z', ''], line: 4 },
  ])
  t.deepEqual([...csvRows('')], [])
})

test('a class is a name or a number, for a path, a name, or a name without suffix', (t) => {
  t.deepEqual(read('a.png,dog\nb.png,cat\n', 'x/a.png', 'x/b.png'), { names: ['cat', 'dog'], of: [1, 0] })
  t.deepEqual(read('id,breed\na,dog\nb,cat\n', 'a.jpg', 'b.jpg'), { names: ['cat', 'dog'], of: [1, 0] })
  t.deepEqual(read('file_name,label\nx/a.png,2\nx/b.png,0\nx/more.png,1', 'x/a.png', 'x/b.png'), {
    names: ['0', '1', '2'],
    of: [2, 0],
  })
  t.deepEqual(read('text,file_name,label\nA dog,a.png,1\n"A, b",b.png,0', 'a.png', 'b.png')?.of, [1, 0])
})

test('columns of 0, -1 and 1 are attributes, as in CelebA', (t) => {
  t.deepEqual(read('image_id,Smiling,Hat\na.jpg,1,-1\nb.jpg,1,1\n', 'a.jpg', 'b.jpg'), {
    names: ['Smiling', 'Hat'],
    of: [[0], [0, 1]],
  })
  t.is(read('file_name,text,author\na.png,x,y', 'a.png'), undefined)
})

const faults: readonly (readonly [what: string, text: string, message: RegExp])[] = [
  [
    'images without a row',
    'a.png,1',
    /expected, b\.png, c\.png, d\.png and 1 more have none; its first row is of a\.png$/,
  ],
  ['an image without a row', 'a.png,1\nb.png,1\nc.png,1\nd.png,2', /expected, e\.png has none/],
  ['a row with more columns', 'a.png,1\nb.png,1,2', /, line 2: 2 columns are expected, got 3$/],
  ['one column', 'a.png\nb.png', /, line 1: 2 columns are expected, got 1$/],
  ['an empty file', '\n', /a row for each image, .* is expected, got an empty file$/],
  [
    'an empty class',
    'a.png,1\nb.png,\nc.png,2\nd.png,1\ne.png,1',
    /a label for each image is expected, b\.png has none; its first row is of a\.png$/,
  ],
]

for (const [what, text, message] of faults) {
  test(`${what} is refused by name`, (t) => {
    const error = t.throws(() => read(text, 'a.png', 'b.png', 'c.png', 'd.png', 'e.png'), { instanceOf: DataError })
    t.regex(error.message, message)
    t.true(error.message.startsWith('labels.csv'))
  })
}

for (const [what, cell] of [
  ['another number', '2'],
  ['a word', 'maybe'],
  ['nothing', ''],
  ['a fraction', '0.5'],
] as const) {
  test(`${what} among attributes is refused with its line and cell`, (t) => {
    const text = `file,hat,smile\na.png,0,1\nb.png,1,${cell}\nc.png,1,0\n`
    const error = t.throws(() => read(text, 'a.png', 'b.png', 'c.png'), { instanceOf: DataError })
    const found = cell === '' ? 'an empty cell' : cell
    t.true(error.message.startsWith(`labels.csv, line 3: 0 or 1 is expected in the column smile, got ${found}; `))
  })
}

test('attributes may be words, as pandas writes them', (t) => {
  for (const [yes, no] of [
    ['True', 'False'],
    ['yes', 'NO'],
  ]) {
    const labels = read(`file,hat,smile\na.png,${yes},${no}\nb.png,${no},${yes}\n`, 'a.png', 'b.png')
    t.deepEqual(labels, { names: ['hat', 'smile'], of: [[0], [1]] })
  }
})

test('a table that has a column of 0 and 1 among others is no list of attributes', (t) => {
  const text = 'file_name,text,adult\na.png,x,1\nb.png,y,0\n'
  t.is(readCsv('metadata.csv', Buffer.from(text), images('a.png', 'b.png')), undefined)
  const error = t.throws(() => read(text, 'a.png', 'b.png'), { instanceOf: DataError })
  t.regex(error.message, /, line 2: 0 or 1 is expected in the column text, got x; /)
})

test('an image with two different labels is refused with both lines; the same label twice is taken', (t) => {
  const error = t.throws(() => read('file,class\na.png,cat\nb.png,dog\na.png,dog', 'a.png', 'b.png'))
  t.regex(error.message, /, line 4: one label .*, got another for a\.png than in line 2; remove one of the two lines$/)
  t.deepEqual(read('file,class\na.png,cat\nb.png,dog\na.png,cat', 'a.png', 'b.png')?.of, [0, 1])
  const flags = t.throws(() => read('file,hat,smile\na.png,0,1\na.png,1,1', 'a.png'))
  t.regex(flags.message, /, line 3: .* than in line 2/)
})

test('columns with semicolons between them are told to have commas', (t) => {
  const error = t.throws(() => read('file;class\na.png;cat\nb.png;dog', 'a.png', 'b.png'))
  t.regex(error.message, /, line 1: 2 columns are expected, got 1; put commas between them$/)
})
