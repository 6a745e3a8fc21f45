// Posts an event as its provider does, signed by the provider's own library over the bytes that it sends, and prints
// the status and the body of the answer.
//   node webhooks.mjs stripe URL SECRET < event.json
//   node webhooks.mjs github URL SECRET EVENT ACTION    an event that GitHub really sent
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.env.BELLBOARD_TEST_SENDERS_MODULES, 'x'));
const [provider, url, secret, event, action] = process.argv.slice(2);

const providers = {
  stripe() {
    const payload = readFileSync(0, 'utf8');
    const signature = require('stripe').webhooks.generateTestHeaderString({ payload, secret });
    return [payload, { 'Stripe-Signature': signature }];
  },
  async github() {
    const { examples } = require('@octokit/webhooks-examples').find(({ name }) => name === event);
    const payload = JSON.stringify(examples.find((example) => example.action === action));
    const signature = await require('@octokit/webhooks-methods').sign(secret, payload);
    return [payload, { 'X-Hub-Signature-256': signature, 'X-GitHub-Event': event }];
  },
};

const [body, headers] = await providers[provider]();
const answer = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body });
console.log(answer.status, await answer.text());
