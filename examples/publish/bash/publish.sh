#!/usr/bin/env bash
# Publishes to a room and to a user, as any service may: it knows the publish queue's URL, and nothing else of Hubbub. It needs the AWS CLI.
#
# Usage: publish.sh QUEUE_URL ROOM USER TEXT
set -euo pipefail

sender=example-bash

fail() {
    echo "error: $1" >&2
    exit "${2-1}"
}

# A text as JSON. Characters below a space would have to be escaped, and are refused.
quote() {
    local text=${1//\\/\\\\}
    [[ $text != *[[:cntrl:]]* ]] || fail "the text holds control characters" 2
    printf '"%s"' "${text//\"/\\\"}"
}

# Puts a message for a channel on the queue. When this returns, the message is durable.
publish() {
    local queue_url=$1 channel=$2 body=$3 id quoted error
    # Whoever sends again what may have been lost does so by the same id: it is then the same message.
    id=$(date +%s)-$$-$RANDOM
    quoted=$(quote "$channel")
    # The endpoint is the queue's own host, because some versions of the AWS CLI take another. What they print when all is well is an id of
    # SQS's own, which nobody needs.
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
