// Publishes a message to a room and one to a user. All it needs of Hubbub is the URL of the publish queue.
//
// Usage: go run . QUEUE_URL ROOM USER TEXT
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
)

const sender = "example-go"

type envelope struct {
	V       int    `json:"v"`
	Channel string `json:"channel"`
	ID      string `json:"id"`
	From    string `json:"from"`
	Body    any    `json:"body"`
}

// publish puts a message for a channel on the queue. When it returns without an error, the message is durable.
func publish(ctx context.Context, client *sqs.Client, queueURL, channel string, body any) error {
	// If the outcome of a send is unknown, send again with the same id: the server then keeps one message.
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	id := hex.EncodeToString(random)
	text, err := json.Marshal(envelope{V: 1, Channel: channel, ID: id, From: sender, Body: body})
	if err != nil {
		return err
	}
	_, err = client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl:               aws.String(queueURL),
		MessageBody:            aws.String(string(text)),
		MessageGroupId:         aws.String(channel),
		MessageDeduplicationId: aws.String(sender + "/" + id),
	})
	if err != nil {
		return err
	}
	fmt.Printf("%s: %s\n", channel, id)
	return nil
}

func run(queueURL, room, user, text string) error {
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	client := sqs.NewFromConfig(cfg)
	for _, channel := range []string{"room:" + room, "user:" + user} {
		if err := publish(ctx, client, queueURL, channel, map[string]string{"text": text}); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: go run . QUEUE_URL ROOM USER TEXT")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		what := "the message could not be sent"
		var refused smithy.APIError
		if errors.As(err, &refused) {
			what = "the queue refused"
		}
		fmt.Fprintf(os.Stderr, "error: %s: %v\n", what, err)
		os.Exit(1)
	}
}
