/** What programs see of the package: its declarations, built into dist/. */
import { mkdir, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import test from 'ava'
import ts from 'typescript'

const root = fileURLToPath(new URL('..', import.meta.url))
const { exports } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
  exports: Record<string, { types?: string; default?: string }>
}
const entries = Object.values(exports).flatMap(({ types }) => (types === undefined ? [] : [join(root, types)]))

/** The compiler's messages, a line each. */
function messages(program: ts.Program): string[] {
  return ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
    return `${file?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
  })
}

test('the declarations compile in a strict project without the types of Node, however modules are found', async (t) => {
  const project = await mkdtemp(join(tmpdir(), 'stylegan-declarations-'))
  await mkdir(join(project, 'node_modules'))
  await symlink(root, join(project, 'node_modules/stylegan'))
  await writeFile(join(project, 'package.json'), '{ "type": "module" }')
  const names = Object.entries(exports).flatMap(([name, { types }]) => (types ? [name.replace('.', 'stylegan')] : []))
  t.deepEqual(names, ['stylegan', 'stylegan/tensor', 'stylegan/networks', 'stylegan/metrics'])
  const file = join(project, 'program.ts')
  const use =
    "import { loadGenerator } from 'stylegan'\n\nexport const images = (await loadGenerator('')).images({ seeds: 1 })\n"
  await writeFile(file, names.map((name, i) => `export * as entry${i} from '${name}'\n`).join('') + use)
  const kinds = [
    { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext },
    { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler },
  ]
  for (const kind of kinds) {
    const program = ts.createProgram([file], {
      ...kind,
      target: ts.ScriptTarget.ES2022,
      lib: ['lib.es2022.d.ts', 'lib.esnext.disposable.d.ts'],
      types: [],
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      preserveSymlinks: true,
    })
    t.deepEqual(messages(program), [])
  }
})

const program = ts.createProgram(entries, {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  lib: ['lib.es2022.d.ts', 'lib.esnext.disposable.d.ts'],
  types: [],
  strict: true,
})
const checker = program.getTypeChecker()
const original = (symbol: ts.Symbol) =>
  symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
const exportsOf = (entry: string) =>
  checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(entry)!)!)

test('a name means the same in every entry, and an entry has a name for each thing once', (t) => {
  const means = new Map<string, ts.Symbol>()
  for (const entry of entries) {
    const symbols = exportsOf(entry)
    t.is(new Set(symbols.map(original)).size, symbols.length, entry)
    for (const symbol of symbols) {
      const before = means.get(symbol.name)
      t.true(before === undefined || before === original(symbol), `${symbol.name} of ${entry}`)
      means.set(symbol.name, original(symbol))
    }
  }
})

test('what is internal, or there for tests, is not declared', (t) => {
  const symbols = new Set(entries.flatMap(exportsOf).map(original))
  for (const { name, declarations } of symbols) {
    for (const node of declarations ?? []) t.notRegex(node.getFullText(), /@internal|\b(for|of) tests\b/, name)
  }
  for (const name of ['onWrite', 'lock', 'hold', 'injectFault', 'pictureOf']) {
    const found = [...symbols].filter(({ declarations }) =>
      declarations?.some((node) => new RegExp(`\\b${name}\\b[?(:]`).test(node.getText())),
    )
    t.deepEqual(
      found.map((symbol) => symbol.name),
      [],
      name,
    )
  }
})

test('every exported function and class says what it is', (t) => {
  for (const symbol of new Set(entries.flatMap(exportsOf).map(original))) {
    if (!(symbol.flags & (ts.SymbolFlags.Function | ts.SymbolFlags.Class))) continue
    t.true(symbol.getDocumentationComment(checker).length > 0, symbol.name)
  }
})

test('every type that a signature names is exported too', (t) => {
  const exported = new Set(entries.flatMap(exportsOf).map(original))
  const missing = new Set<string>()
  const visit = (node: ts.Node, of: string): void => {
    const named = ts.isTypeReferenceNode(node)
      ? node.typeName
      : ts.isExpressionWithTypeArguments(node)
        ? node.expression
        : undefined
    const found = named && checker.getSymbolAtLocation(named)
    const symbol = found && original(found)
    const declared = symbol?.declarations?.[0]
    const isOurs = declared?.getSourceFile().fileName.startsWith(join(root, 'dist'))
    if (symbol && isOurs && !ts.isTypeParameterDeclaration(declared!) && !exported.has(symbol)) {
      if (symbol.name !== 'AbortSignal') missing.add(`${symbol.name}, in ${of}`)
    }
    node.forEachChild((child) => visit(child, of))
  }
  for (const symbol of exported) symbol.declarations?.forEach((node) => visit(node, symbol.name))
  t.deepEqual([...missing], [])
})

test('require gives what import gives, of every entry', async (t) => {
  const load = createRequire(import.meta.url)
  for (const { default: path } of Object.values(exports).filter(({ types }) => types !== undefined)) {
    const file = join(root, path!)
    const names = Object.keys((await import(pathToFileURL(file).href)) as object)
    const required = load(file) as object
    t.true(names.length > 0)
    t.deepEqual(Object.keys(required), names, path)
  }
})
