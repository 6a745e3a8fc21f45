// Sends as Node integrations do, with axios; prints each status and body as a line of JSON. Options that are
// left out are undefined.
const axios = require('axios');

async function send(user, type, title, options = {}) {
  const body = {
    user_id: user,
    type,
    title,
    message: options.message,
    link: options.link,
    metadata: options.metadata,
    related_ticket_id: options.ticket,
    related_user_id: options.by,
  };
  const headers = { 'X-API-KEY': process.env.KEY, 'Content-Type': 'application/json' };
  const answer = await axios
    .post(`${process.env.BASE}/crm/notification/send`, body, { headers })
    .catch((error) => error.response);
  console.log(JSON.stringify({ status: answer.status, body: answer.data }));
}

async function main() {
  await send(123, 'provision_complete', 'Line is up', {
    message: 'Line 31 can be used from now on',
    link: '/services/31',
    metadata: { service_id: 31, provision_job_id: 'job-2026-0007', duration_seconds: 12 },
  });
  await send(5, 'ticket_assigned', 'For you', { ticket: 42, by: 2 });
  await send(5, 'custom', undefined);
}

main();
