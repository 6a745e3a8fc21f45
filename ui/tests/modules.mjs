// The component's modules one by one, for tests that need no browser.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ui = fileURLToPath(new URL('..', import.meta.url));
const modules = process.env.BELLBOARD_TEST_UI_MODULES ?? join(ui, 'node_modules');
const { build } = createRequire(join(modules, 'x'))('esbuild');

/** Builds and loads `src/<name>.ts`. */
export async function load(name) {
  const { outputFiles } = await build({
    entryPoints: [join(ui, 'src', `${name}.ts`)],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
}
