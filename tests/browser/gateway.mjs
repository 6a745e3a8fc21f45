// The real gateway, on ports that the system chose and a store of its own, and those who send and read without a browser.
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const program = join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'debug/bellboard');

const SECRET = 'a-secret-of-at-least-32-bytes-for-tests';
const KEY = 'a-key-of-at-least-32-characters-for-tests';
/** Of another tenant, whose users have the same numbers. */
export const ACME = { secret: 'a-secret-of-another-tenant-for-the-tests', key: 'a-key-of-another-tenant-for-the-tests' };

/** Every test has users of its own. */
const settings = (origins, more) => `
${more}
tenants:
  default:
    users: managed
    seed: [${Array.from({ length: 99 }, (_, n) => n + 1)}]
    issuers: [{algorithm: HS256, secret: ${SECRET}}]
    cors: {allowed_origins: ${JSON.stringify(origins)}}
  acme:
    users: open
    issuers: [{algorithm: HS256, secret: ${ACME.secret}}]
api_keys:
  ${ACME.key}: {roles: [sender], tenant: acme}
  ${KEY}: {roles: [sender], rate_limit: {per_second: 5000, burst: 5000}}
`;

/** A user's token, of so many seconds. */
export function token(user, seconds = 3600, secret = SECRET, more = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: String(user), iat: now - 9999, exp: now + seconds, ...more })}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

/** Asks again until it is so. */
export async function until(holds) {
  for (let tries = 0; !await holds(); tries++) {
    if (tries > 150) throw new Error(`it never came to be that ${holds}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

export class Gateway {
  #child;
  #folder;
  #user = 0;

  /** Starts one, with a configuration of the project or one for tests, which lets pages of these origins in and says more. */
  static async start(config, origins = [], more = '') {
    const gateway = new Gateway();
    const folder = gateway.#folder = mkdtempSync(join(tmpdir(), 'bellboard-browser-'));
    const path = config ? join(root, config) : join(folder, 'bellboard.yaml');
    if (!config) writeFileSync(path, settings(origins, more));
    const ports = ['--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0'];
    const child = gateway.#child = spawn(
      program,
      ['serve', '--config', path, '--store', `sqlite://${folder}/x.db`, ...ports],
      { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    // It ends with this process, however that ends.
    process.once('exit', () => child.kill('SIGKILL'));
    gateway.said = [];
    for await (const line of createInterface({ input: child.stdout })) {
      gateway.said.push(line);
      const [, label, url] = /^ +(\S+) +(http\S+)/.exec(line) ?? [];
      if (label === 'API') gateway.base = url;
      if (label === 'admin') gateway.admin = url.replace('/metrics', '');
      // In development hints follow, up to the read.
      if (gateway.admin && (!config || line.includes('Authorization: Bearer'))) break;
    }
    if (!gateway.admin) throw new Error('the gateway did not start');
    child.stdout.resume();
    gateway.origin = new URL(gateway.base).origin;
    return gateway;
  }

  async stop() {
    const ended = new Promise((done) => this.#child.once('exit', done));
    this.#child.kill('SIGTERM');
    await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** A user whose inbox is empty. */
  user() {
    return ++this.#user;
  }

  /** Sends, and gives back the id. */
  async send(user, title, more = {}, key = KEY) {
    const answer = await fetch(`${this.base}/send`, {
      method: 'POST',
      headers: { 'x-api-key': key, 'content-type': 'application/json' },
      body: JSON.stringify({ user_id: user, type: 'custom', title, ...more }),
    });
    if (answer.status !== 201) throw new Error(`${answer.status}: ${await answer.text()}`);
    return (await answer.json()).notification.notification_id;
  }

  /** Sends many, one after the other, oldest first. */
  async fill(user, count) {
    for (let n = 1; n <= count; n++) await this.send(user, `Notification ${n}`);
  }

  /** Sends very many at once. */
  async flood(user, count) {
    for (let n = 0; n < count; n += 500) {
      const items = Array.from({ length: Math.min(500, count - n) }, () => ({ user_id: user, type: 'custom', title: 'One of many' }));
      const answer = await fetch(`${this.base}/send-batch`, {
        method: 'POST',
        headers: { 'x-api-key': KEY, 'content-type': 'application/json' },
        body: JSON.stringify({ items }),
      });
      if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
    }
  }

  /** What the user does elsewhere, as on another device. */
  async elsewhere(user, method, path) {
    const answer = await fetch(this.base + path, { method, headers: { authorization: `Bearer ${token(user)}` } });
    if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
    return answer.json();
  }

  /** The inbox as the store has it. */
  async list(user) {
    return this.elsewhere(user, 'GET', '/?limit=200');
  }
}
