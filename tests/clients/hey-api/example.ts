// Sends, reads and fails with the client that @hey-api/openapi-ts makes.
import assert from "node:assert/strict";
import {
    deleteNotification, getUnreadCount, listNotifications, markRead, sendNotification, type SendRequest,
} from "./bellboard";
import { createClient, createConfig } from "./bellboard/client";
import { env, invoice, isProblem, isRefused } from "./checks";

const baseUrl = env.BELLBOARD_URL;
const sender = (key: string) => createClient(createConfig({ baseUrl, headers: { "X-API-KEY": key } }));

async function send(key: string, body: SendRequest) {
    const answer = await sendNotification({ client: sender(key), body });
    if (answer.data) {
        console.log("stored as", answer.data.notification.notification_id);
    } else {
        console.log(answer.response.status, answer.error.reason ?? answer.error.message);
    }
    return answer;
}

async function main() {
    const sent = (await send(env.BELLBOARD_KEY, invoice)).data?.notification;
    assert(sent);
    assert.deepEqual(sent.metadata, invoice.metadata);

    const client = createClient(createConfig({ baseUrl, auth: env.BELLBOARD_TOKEN }));
    const list = await listNotifications({ client, query: { unread: true } });
    assert.deepEqual(list.data?.notifications.map(n => n.notification_id), [sent.notification_id]);
    assert.deepEqual([list.data.notifications[0].severity, list.data.unread_count], ["info", 1]);
    const count = async () => (await getUnreadCount({ client })).data?.unread_count;
    assert.equal(await count(), 1);
    const path = { id: sent.notification_id };
    assert.equal((await markRead({ client, path })).data?.notification.is_read, true);
    assert.equal(await count(), 0);
    assert.equal((await deleteNotification({ client, path })).data?.result, "Success");

    const headers = { "X-API-KEY": env.BELLBOARD_KEY, Accept: "application/problem+json" };
    const problems = createClient(createConfig({ baseUrl, headers }));
    const { error } = await sendNotification({ client: problems, body: { ...invoice, title: " " } });
    console.log(error?.status, error?.code, error?.problems?.map(problem => problem.field));
    isProblem(error);
    await isRefused(send);
}

main();
