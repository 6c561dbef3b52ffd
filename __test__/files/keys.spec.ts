/** What a program gives, and names that are nearly right. */
import test from 'ava'
import { nearest } from '../../ts/files/keys.ts'

test('nearest prefers the fewest edits, counts a swap as one, and gives nothing for a word that is far from all', (t) => {
  t.is(nearest('kmig', ['king', 'kimg']), 'kimg')
  t.is(nearest('LODINITIALRESOLUTION', ['resolution', 'lodInitialResolution']), 'lodInitialResolution')
  t.is(nearest('reslution', ['resolution', 'lodInitialResolution']), 'resolution')
  t.is(nearest('zebra', ['gamma', 'kimg']), undefined)
  t.is(nearest('gamma', []), undefined)
})
