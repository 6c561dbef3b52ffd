/** What `npm run release:check` refuses. */
import test from 'ava'
import { faults } from '../../scripts/release-check.mjs'

const url = 'https://example.org/someone/stylegan'
const manifest = { version: '1.2.3', repository: { type: 'git', url }, homepage: url, bugs: `${url}/issues` }
const workspace = '[workspace.package]\nversion = "1.2.3"\n'
const changelog = '# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-01-01\n'

test('a package with addresses and an entry of the change log may be released', (t) => {
  t.deepEqual(faults(manifest, changelog, workspace), [])
})

test('a placeholder or a missing address is refused', (t) => {
  const placeholder = { ...manifest, repository: { url: 'https://github.com/OWNER/stylegan' }, bugs: undefined }
  t.deepEqual(faults(placeholder, changelog, workspace), [
    'package.json: repository must name the public repository, found {"url":"https://github.com/OWNER/stylegan"}',
    'package.json: bugs must name the public repository, found nothing',
  ])
})

test('a version without an entry in the change log is refused', (t) => {
  t.deepEqual(faults({ ...manifest, version: '1.3.0' }, changelog, workspace.replace('1.2.3', '1.3.0')), [
    "CHANGELOG.md must have an entry '## [1.3.0]', the version of package.json",
  ])
})

test('one version is in all manifests', (t) => {
  t.deepEqual(faults(manifest, changelog, workspace.replace('1.2.3', '1.2.2')), [
    'Cargo.toml must have the version of package.json, 1.2.3, found 1.2.2',
  ])
})
