// Sends, reads and fails with the client that openapi-generator makes for Go.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"reflect"
	"strconv"

	"example.org/notify/bellboard"
)

var api = newClient(os.Getenv("BELLBOARD_URL"))

func newClient(url string) *bellboard.APIClient {
	configuration := bellboard.NewConfiguration()
	configuration.Servers = bellboard.ServerConfigurations{{URL: url}}
	return bellboard.NewAPIClient(configuration)
}

func sender(key string) context.Context {
	keys := map[string]bellboard.APIKey{"ApiKey": {Key: key}}
	return context.WithValue(context.Background(), bellboard.ContextAPIKeys, keys)
}

func send(key string, request *bellboard.SendRequest) (*bellboard.SentNotification, *http.Response, error) {
	answer, response, err := api.SendingAPI.SendNotification(sender(key)).SendRequest(*request).Execute()
	var refused *bellboard.GenericOpenAPIError
	if errors.As(err, &refused) {
		body := refused.Model().(bellboard.ErrorBody)
		fmt.Println(response.StatusCode, body.GetReason()+body.GetMessage())
		return nil, response, err
	} else if err != nil {
		return nil, response, err
	}
	fmt.Println("stored as", answer.Notification.NotificationId)
	return &answer.Notification, response, nil
}

func refused(status int, key string, request *bellboard.SendRequest) {
	_, response, err := send(key, request)
	check(err != nil && response.StatusCode == status, status)
	if status == http.StatusTooManyRequests {
		wait, err := strconv.Atoi(response.Header.Get("Retry-After"))
		check(err == nil && wait >= 1, response.Header)
	}
}

func check(good bool, what any) {
	if !good {
		log.Panic(what)
	}
}

func must[T any](value T, _ *http.Response, err error) T {
	check(err == nil, err)
	return value
}

func main() {
	user, _ := strconv.ParseInt(os.Getenv("BELLBOARD_USER"), 10, 64)
	invoice := bellboard.NewSendRequest(user, "billing_invoice", "Your invoice")
	invoice.SetMetadata(map[string]any{"invoice_id": 3021.0, "amount": 49.9})
	key := os.Getenv("BELLBOARD_KEY")
	sent := must(send(key, invoice))
	check(reflect.DeepEqual(sent.Metadata, invoice.Metadata), sent.Metadata)

	reader := context.WithValue(context.Background(), bellboard.ContextAccessToken, os.Getenv("BELLBOARD_TOKEN"))
	list := must(api.InboxAPI.ListNotifications(reader).Unread(true).Execute())
	check(len(list.Notifications) == 1 && list.UnreadCount == 1, list)
	check(list.Notifications[0].NotificationId == sent.NotificationId, list)
	check(list.Notifications[0].GetSeverity() == "info", list)
	check(must(api.InboxAPI.GetUnreadCount(reader).Execute()).UnreadCount == 1, "one is unread")
	marked := must(api.InboxAPI.MarkRead(reader, sent.NotificationId).Execute())
	check(marked.Notification.IsRead, marked)
	check(must(api.InboxAPI.GetUnreadCount(reader).Execute()).UnreadCount == 0, "none is unread")
	deleted := must(api.InboxAPI.DeleteNotification(reader, sent.NotificationId).Execute())
	check(deleted.Result == "Success", deleted)

	refused(http.StatusBadRequest, key, bellboard.NewSendRequest(user, "custom", " "))
	api.GetConfig().AddDefaultHeader("Accept", "application/problem+json")
	_, _, err := api.SendingAPI.SendNotification(sender(key)).
		SendRequest(*bellboard.NewSendRequest(user, "custom", " ")).Execute()
	var bad *bellboard.GenericOpenAPIError
	check(errors.As(err, &bad), err)
	problem := bad.Model().(bellboard.ErrorBody)
	fmt.Println(problem.GetStatus(), problem.GetCode(), problem.GetProblems()[0].GetField())
	check(problem.GetCode() == "invalid_fields" && problem.GetProblems()[0].GetField() == "/title", problem)
	delete(api.GetConfig().DefaultHeader, "Accept")
	refused(http.StatusUnauthorized, "no key at all", invoice)
	refused(http.StatusForbidden, os.Getenv("BELLBOARD_POOR_KEY"), invoice)
	refused(http.StatusNotFound, key, bellboard.NewSendRequest(999, "custom", "t"))
	mean := os.Getenv("BELLBOARD_MEAN_KEY")
	for err := error(nil); err == nil; _, _, err = send(mean, invoice) {
	}
	refused(http.StatusTooManyRequests, mean, invoice)
}
