// The examples of embedding, built as they stand and run.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { badge, begin, bell, button, context, lists, modules, shows } from './browser.mjs';
import { Gateway, root, token, until } from './gateway.mjs';

const require = createRequire(join(modules, 'x'));
const { build } = require('esbuild');
const { compileScript, parse } = require('vue/compiler-sfc');

const { gateway, browser } = await begin(after);

/** Compiles a component of Vue, as its users' build tools do. */
const vue = {
  name: 'vue',
  setup({ onLoad }) {
    onLoad({ filter: /\.vue$/ }, ({ path }) => {
      const { descriptor } = parse(readFileSync(path, 'utf8'), { filename: path });
      const { content } = compileScript(descriptor, {
        id: 'app',
        inlineTemplate: true,
        templateOptions: { compilerOptions: { isCustomElement: (tag) => tag === 'bellboard-inbox' } },
      });
      return { contents: content, loader: 'ts', resolveDir: root };
    });
  },
};

/** Bundles what a page's script says, with the component as the package that it is. */
async function bundled(contents) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: join(root, 'examples'), loader: 'tsx' },
    bundle: true,
    write: false,
    format: 'esm',
    jsx: 'automatic',
    alias: { 'bellboard-inbox': join(root, 'ui/dist/inbox.js') },
    nodePaths: [modules],
    define: { 'process.env.NODE_ENV': '"production"', __VUE_OPTIONS_API__: 'false', __VUE_PROD_DEVTOOLS__: 'false' },
    plugins: [vue],
  });
  return outputFiles[0].text;
}

/** Opens a page of the CRM whose back end knows the user. */
async function open(t, user, html, script) {
  const made = await context(t, browser);
  await made.route('**/session/token?*', (route) => route.fulfill({ json: { token: token(user) } }));
  await made.route('**/app.js', (route) => route.fulfill({ contentType: 'text/javascript', body: script }));
  await made.route('**/crm', (route) => route.fulfill({ contentType: 'text/html', body: html }));
  const page = await made.newPage();
  await page.goto(`${gateway.origin}/crm`);
  return page;
}

const APP = '<!DOCTYPE html><html lang="en"><title>CRM</title><div id="app"></div><script type="module" src="/app.js"></script>';

test('plain HTML', async (t) => {
  const user = gateway.user();
  const page = await open(t, user, readFileSync(join(root, 'examples/plain.html'), 'utf8'));
  await bell(page).waitFor();
  await gateway.send(user, 'Plain');
  await badge(page, '1');
  await page.waitForFunction(() => document.title === '(1) CRM');
});

for (const [name, script] of [
  ['React', 'import "./react.tsx"'],
  ['Vue', 'import { createApp } from "vue"; import App from "./App.vue"; createApp(App).mount("#app")'],
]) {
  test(name, async (t) => {
    const user = gateway.user();
    await gateway.send(user, 'Framed', { link: '/services/7' });
    const page = await open(t, user, APP, await bundled(script));
    await shows(page.getByText('1 to read'));
    await bell(page).click();
    await page.getByRole('link', { name: 'Framed' }).click();
    await shows(page.getByRole('status').getByText('/services/7'));
    await badge(page, '');
    assert.equal(new URL(page.url()).pathname, '/crm');
  });
}

test('on another origin', async (t) => {
  const site = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end(page)).listen(0, 'localhost');
  await once(site, 'listening');
  t.after(() => site.close());
  const origin = `http://localhost:${site.address().port}`;
  const other = await Gateway.start(undefined, [origin]);
  t.after(() => other.stop());
  const user = other.user();
  const kept = await other.send(user, 'Kept');
  const page = `<!DOCTYPE html><html lang="en"><title>CRM</title><bellboard-inbox base-url="${other.base}"></bellboard-inbox>
    <script type="module">
      import '${other.base}/ui/inbox.js';
      const inbox = document.querySelector('bellboard-inbox');
      inbox.token = ({ refresh }) => refresh ? '${token(user)}' : '${token(user, -600)}';
      inbox.open();
    </script>`;
  const made = await context(t, browser);
  const shown = await made.newPage();
  await shown.goto(origin);
  await lists(shown, ['Kept']);
  await made.setOffline(true);
  await shows(shown.getByText('You are offline.'));
  await other.send(user, 'Missed');
  await other.elsewhere(user, 'DELETE', `/${kept}`);
  await made.setOffline(false);
  await lists(shown, ['Missed']);
  await button(shown, 'Delete: Missed').click();
  await until(async () => (await other.list(user)).notifications.length === 0);
});

test('the types are those of the package', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'bellboard-types-'));
  t.after(() => rmSync(folder, { recursive: true }));
  symlinkSync(modules, join(folder, 'node_modules'));
  writeFileSync(join(folder, 'react.tsx'), readFileSync(join(root, 'examples/react.tsx')));
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({
    compilerOptions: {
      strict: true,
      noEmit: true,
      target: 'ES2022',
      module: 'ESNext',
      moduleResolution: 'bundler',
      jsx: 'react-jsx',
      lib: ['ES2023', 'DOM', 'DOM.Iterable'],
      types: [],
      paths: { 'bellboard-inbox': [join(root, 'ui/dist/inbox.d.ts')] },
    },
  }));
  execFileSync(join(modules, '.bin/tsc'), ['--project', folder], { stdio: 'pipe', encoding: 'utf8' });
});
