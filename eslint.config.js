import { defineConfig } from 'eslint/config'
import tseslint from 'typescript-eslint'

// The strictest set that knows types: floating promises, `any` that spreads, conditions that cannot be otherwise.
// What does not fit this project is turned off here with its reason, not by comments where it is met.
export default defineConfig(
  { ignores: ['dist/', 'native/', 'target/', 'data/', 'results/', 'out/', '__test__/fixtures/'] },
  {
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { project: ['__test__/tsconfig.json', 'ts/studio/page/tsconfig.json'] } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      // The result of an async callback that nobody waits for is refused too, as a floating promise is.
      '@typescript-eslint/no-floating-promises': ['error', { checkThenables: true }],
      // `noUncheckedIndexedAccess` makes every `a[i]` possibly undefined; `a[i]!` says that the loop around it knows better.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // An async function without `await` is the shortest way to give an interface its promise.
      '@typescript-eslint/require-await': 'off',
      // Messages print what was found: numbers, lists, and `undefined` where something is missing.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true, allowArray: true, allowNullish: true },
      ],
      // `case 'tick': return print(…)` ends a function that gives nothing.
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      // A static method of ours has no `this`.
      '@typescript-eslint/unbound-method': ['error', { ignoreStatic: true }],
      // `const { secret: _, ...rest } = all` leaves a property out, `for (const _ of events)` only waits.
      '@typescript-eslint/no-unused-vars': ['error', { varsIgnorePattern: '^_$', argsIgnorePattern: '^_$' }],
    },
  },
  // JSDoc's casts, `/** @type {T} */ (any)`, are not seen by the rule.
  { files: ['**/*.mjs'], rules: { '@typescript-eslint/no-unsafe-assignment': 'off' } },
  // It calls functions with arguments of types that they do not take.
  {
    files: ['__test__/support/fuzz-child.ts'],
    extends: [tseslint.configs.disableTypeChecked],
    rules: { '@typescript-eslint/no-explicit-any': 'off' },
  },
  // The peers of a benchmark are not installed here, so their types are unknown.
  { files: ['benchmark/peers/**'], extends: [tseslint.configs.disableTypeChecked] },
  // What a browser runs knows other globals than Node, and a page of an example has no types.
  { files: ['examples/web/**'], extends: [tseslint.configs.disableTypeChecked] },
)
