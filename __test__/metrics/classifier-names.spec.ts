/** Files of classifiers, by the names of their attributes. */
import test from 'ava'
import { checkClassifierNames, classifierName } from '../../ts/metrics/classifier.ts'

test('attributes of any script have files of their own, and two with one file are refused', (t) => {
  t.is(classifierName('日本'), 'classifier-日本.safetensors')
  t.is(classifierName('a b/c'), 'classifier-a-b-c.safetensors')
  t.notThrows(() => checkClassifierNames(['日本', '中国', 'hat']))
  t.throws(() => checkClassifierNames(['a b', 'hat', 'a?b']), {
    message:
      "attributes: names of different files are expected, got 'a b' and 'a?b', both classifier-a-b.safetensors; rename one of them",
  })
  t.throws(() => checkClassifierNames(['Hat', 'hat']), { message: /'Hat' and 'hat'/ })
})
