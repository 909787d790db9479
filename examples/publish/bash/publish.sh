#!/usr/bin/env bash
# Publishes a message to a room and one to a user. All it needs of Hubbub is the URL of the publish queue. It needs the AWS CLI.
#
# Usage: publish.sh QUEUE_URL ROOM USER TEXT
set -euo pipefail

sender=example-bash

fail() {
    echo "error: $1" >&2
    exit "${2-1}"
}

# Writes a text as JSON. It refuses control characters, which would have to be escaped.
quote() {
    local text=${1//\\/\\\\}
    [[ $text != *[[:cntrl:]]* ]] || fail "the text holds control characters" 2
    printf '"%s"' "${text//\"/\\\"}"
}

# Puts a message for a channel on the queue. When this returns, the message is durable.
publish() {
    local queue_url=$1 channel=$2 body=$3 id quoted error
    # If the outcome of a send is unknown, send again with the same id: the server then keeps one message.
    id=$(date +%s)-$$-$RANDOM
    quoted=$(quote "$channel")
    # Some versions of the AWS CLI take another host than the queue's, so the endpoint is given. What they print on success is SQS's own id.
    error=$(aws sqs send-message \
        --endpoint-url "${queue_url%/*/*}" \
        --queue-url "$queue_url" \
        --message-group-id "$channel" \
        --message-deduplication-id "$sender/$id" \
        --message-body "{\"v\": 1, \"channel\": $quoted, \"id\": \"$id\", \"from\": \"$sender\", \"body\": $body}" \
        2>&1 >/dev/null) || fail "the message could not be sent: ${error//$'\n'/}"
    echo "$channel: $id"
}

(($# == 4)) || fail "usage: publish.sh QUEUE_URL ROOM USER TEXT" 2
command -v aws >/dev/null || fail "the AWS CLI isn't installed"
body="{\"text\": $(quote "$4")}"
publish "$1" "room:$2" "$body"
publish "$1" "user:$3" "$body"
