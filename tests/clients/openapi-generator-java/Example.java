// Sends, reads and fails with the client that openapi-generator makes for Java.

import java.util.List;
import java.util.Map;
import org.example.bellboard.ApiClient;
import org.example.bellboard.ApiException;
import org.example.bellboard.api.InboxApi;
import org.example.bellboard.api.SendingApi;
import org.example.bellboard.model.ErrorBody;
import org.example.bellboard.model.Notification;
import org.example.bellboard.model.SendRequest;
import org.example.bellboard.model.SentNotification;

public class Example {
    static final String URL = System.getenv("BELLBOARD_URL");

    static SendingApi sender(String key) {
        ApiClient client = new ApiClient().setBasePath(URL);
        client.setApiKey(key);
        return new SendingApi(client);
    }

    static SentNotification send(String key, SendRequest request) throws ApiException {
        try {
            SentNotification sent = sender(key).sendNotification(request, null).getNotification();
            System.out.println("stored as " + sent.getNotificationId());
            return sent;
        } catch (ApiException e) {
            ErrorBody body = e.getErrorObject();
            System.out.println(e.getCode() + " " + (e.getCode() == 401 ? body.getMessage() : body.getReason()));
            throw e;
        }
    }

    static void refused(int status, String key, SendRequest request) {
        try {
            send(key, request);
        } catch (ApiException e) {
            ErrorBody body = e.getErrorObject();
            check(e.getCode() == status, e);
            check((status == 401 ? body.getMessage() : body.getReason()) != null, body);
            if (status == 429) {
                check(Integer.parseInt(e.getResponseHeaders().get("retry-after").get(0)) >= 1, e);
            }
            return;
        }
        throw new AssertionError(status);
    }

    static void check(boolean good, Object what) {
        if (!good) {
            throw new AssertionError(what);
        }
    }

    static SendRequest request(long user, String type, String title) {
        return new SendRequest().userId(user).type(type).title(title);
    }

    public static void main(String[] arguments) throws Exception {
        long user = Long.parseLong(System.getenv("BELLBOARD_USER"));
        String key = System.getenv("BELLBOARD_KEY");
        SendRequest invoice = request(user, "billing_invoice", "Your invoice")
                .metadata(Map.of("invoice_id", 3021.0, "amount", 49.9));
        SentNotification sent = send(key, invoice);
        check(sent.getMetadata().equals(invoice.getMetadata()), sent);

        ApiClient client = new ApiClient().setBasePath(URL);
        client.setBearerToken(System.getenv("BELLBOARD_TOKEN"));
        InboxApi inbox = new InboxApi(client);
        List<Notification> page = inbox.listNotifications(null, null, true, null).getNotifications();
        check(page.size() == 1 && page.get(0).getNotificationId().equals(sent.getNotificationId()), page);
        check(page.get(0).getSeverity().equals("info"), page);
        check(inbox.getUnreadCount().getUnreadCount() == 1, "one is unread");
        check(inbox.markRead(sent.getNotificationId()).getNotification().getIsRead(), "it is read");
        check(inbox.getUnreadCount().getUnreadCount() == 0, "none is unread");
        check(inbox.deleteNotification(sent.getNotificationId()).getResult().equals("Success"), "deleted");

        refused(400, key, request(user, "custom", " "));
        ApiClient asking = new ApiClient() {
            @Override
            public String selectHeaderAccept(String[] accepts) {
                return String.join(", ", accepts);
            }
        };
        asking.setBasePath(URL);
        asking.setApiKey(key);
        try {
            new SendingApi(asking).sendNotification(request(user, "custom", " "), null);
            throw new AssertionError(400);
        } catch (ApiException e) {
            ErrorBody problem = e.getErrorObject();
            System.out.println(e.getCode() + " " + problem.getCode() + " " + problem.getProblems().get(0).getField());
            check(problem.getCode().equals("invalid_fields"), problem);
            check(problem.getProblems().get(0).getField().equals("/title"), problem);
        }
        refused(401, "no key at all", invoice);
        refused(403, System.getenv("BELLBOARD_POOR_KEY"), invoice);
        refused(404, key, request(999, "custom", "t"));
        String mean = System.getenv("BELLBOARD_MEAN_KEY");
        try {
            while (true) {
                send(mean, invoice);
            }
        } catch (ApiException e) {
            refused(429, mean, invoice);
        }
    }
}
