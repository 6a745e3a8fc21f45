// The package as a registry gives it: packed, installed and imported.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

test('the package holds what it promises, and loads where there is no page', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'bellboard-package-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [{ filename, files }] = JSON.parse(execFileSync('npm', ['pack', '--json', '--pack-destination', folder], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: { ...process.env, npm_config_cache: join(folder, 'cache'), npm_config_update_notifier: 'false' },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }));
  const names = files.map(({ path }) => path);
  for (const name of ['LICENSE', 'README.md', 'dist/inbox.js', 'dist/inbox.d.ts']) assert.ok(names.includes(name), name);
  assert.deepEqual(names.filter((name) => /^(src|tests|page)\/|page\./.test(name)), []);

  const installed = join(folder, 'node_modules/bellboard-inbox');
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['xzf', join(folder, filename), '--strip-components=1', '-C', installed]);
  const { types } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  readFileSync(join(installed, types));
  const path = createRequire(join(folder, 'x.mjs')).resolve('bellboard-inbox');
  const { ApiError, BellboardInbox, InboxClient, isSafeLink } = await import(pathToFileURL(path).href);
  assert.ok([ApiError, BellboardInbox, isSafeLink].every((one) => typeof one === 'function'));
  assert.equal(new InboxClient({ token: 'x' }).state.phase, 'idle');
});
