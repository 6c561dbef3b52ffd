/** What a program gives, and names that are nearly right. */
import test from 'ava'
import { checkKeys, nearest } from '../../ts/files/keys.ts'

test('nearest prefers the fewest edits, counts a swap as one, and gives nothing for a word that is far from all', (t) => {
  t.is(nearest('kmig', ['king', 'kimg']), 'kimg')
  t.is(nearest('LODINITIALRESOLUTION', ['resolution', 'lodInitialResolution']), 'lodInitialResolution')
  t.is(nearest('reslution', ['resolution', 'lodInitialResolution']), 'resolution')
  t.is(nearest('zebra', ['gamma', 'kimg']), undefined)
  t.is(nearest('gamma', []), undefined)
})

test('a short word that shares no letter with a short name is not near it', (t) => {
  for (const word of ['', '-', '-1', 'c', 'cd']) t.is(nearest(word, ['a', 'b', 'ab']), undefined, word)
  t.is(nearest('ba', ['a', 'ab']), 'a')
  t.is(nearest('ca', ['cat']), 'cat')
})

test('a name of a flag or of another function is answered with the name here', (t) => {
  const known = ['seeds', 'psi', 'cutoff', 'noise', 'noiseMaps', 'noiseSeeds', 'noiseStrength']
  const answers = {
    noiseMode: 'noise',
    noise_mode: 'noise',
    trunc: 'psi',
    truncationCutoff: 'cutoff',
    noiseMap: 'noiseMaps',
  }
  for (const [given, name] of Object.entries(answers)) {
    const message = `unknown option "${given}"; did you mean ${name}?`
    t.throws(() => checkKeys({ [given]: 1 }, known, 'option'), { message })
  }
  t.throws(() => checkKeys({ noiseMode: 1 }, ['kimg'], 'option'), { message: /known ones: kimg$/ })
})
