// Builds dist/: the bundle that the gateway holds and that npm packs, and its types. With --check it writes nothing
// and fails where dist/ is not what the sources make. Packages are taken from BELLBOARD_TEST_UI_MODULES, or from here.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

/** The most that the component may weigh, compressed. */
const MOST = 12 * 1024;

const here = dirname(fileURLToPath(import.meta.url));
const modules = process.env.BELLBOARD_TEST_UI_MODULES ?? join(here, 'node_modules');
const { build, transform } = createRequire(join(modules, 'x'))('esbuild');
const { license, version } = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'));

async function make(folder) {
  rmSync(folder, { recursive: true, force: true });
  const tsc = join(modules, '.bin', 'tsc');
  execFileSync(tsc, ['--project', here, '--outDir', folder], { stdio: 'inherit' });
  // The page is the gateway's own; whoever installs the package has no use for it.
  rmSync(join(folder, 'page.d.ts'));
  await build({
    entryPoints: [join(here, 'src/inbox.ts'), join(here, 'src/page.ts')],
    outdir: folder,
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    charset: 'utf8',
    legalComments: 'none',
    banner: { js: `/* Bellboard ${version}, ${license} */` },
    plugins: [{
      name: 'bellboard',
      setup({ onLoad, onResolve }) {
        // The page loads the component as any page does.
        onResolve({ filter: /^\.\/inbox\.js$/ }, () => ({ path: './inbox.js', external: true }));
        onLoad({ filter: /\.css$/ }, async ({ path }) => {
          const { code } = await transform(readFileSync(path, 'utf8'), { loader: 'css', minify: true });
          return { contents: code.trim(), loader: 'text' };
        });
      },
    }],
  });
}

function differences(one, other) {
  const names = new Set([...readdirSync(one), ...readdirSync(other)]);
  const text = (folder, name) => {
    try {
      return readFileSync(join(folder, name), 'utf8');
    } catch {
      return undefined;
    }
  };
  return [...names].filter((name) => text(one, name) !== text(other, name));
}

const dist = join(here, 'dist');
const checks = process.argv.includes('--check');
const folder = checks ? mkdtempSync(join(tmpdir(), 'bellboard-ui-')) : dist;
try {
  await make(folder);
  const weight = gzipSync(readFileSync(join(folder, 'inbox.js')), { level: 9 }).length;
  console.log(`inbox.js: ${weight} bytes compressed, of ${MOST}`);
  if (weight > MOST) throw new Error('the component is too heavy');
  const other = checks ? differences(folder, dist) : [];
  if (other.length > 0) throw new Error(`build anew with node ui/build.mjs: dist differs in ${other.join(', ')}`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  if (checks) rmSync(folder, { recursive: true, force: true });
}
