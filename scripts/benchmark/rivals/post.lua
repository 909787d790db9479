-- Has wrk post bodies of BYTES bytes to the connections `c-0`, `c-1` and so on, and end with a line of JSON: how many answers came,
-- how many were no success, and in how many seconds.
--
-- Usage: wrk [options] --script post.lua URL -- BYTES
--
-- wrk signs nothing: every request carries the same made-up signature, of the form that the gateway asks for. So it shows what
-- posting costs without the AWS part of it.

local headers = {
  ["Content-Type"] = "application/octet-stream",
  ["X-Amz-Date"] = "20260101T000000Z",
  ["X-Amz-Security-Token"] = "token",
  ["Authorization"] = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/execute-api/aws4_request, "
    .. "SignedHeaders=host;x-amz-date, Signature=" .. string.rep("0", 64),
}
local prefix, body
local number = -1

function init(arguments)
  local bytes = tonumber(arguments[1])
  if not bytes or bytes < 1 then
    error("post.lua: the number of bytes is missing: wrk ... URL -- BYTES")
  end
  body = string.rep("x", bytes)
  prefix = wrk.path .. "/@connections/c-"
end

function request()
  number = number + 1
  return wrk.format("POST", prefix .. number, headers, body)
end

function done(summary)
  local errors = summary.errors
  local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  print(string.format('{"posts": %d, "failed": %d, "seconds": %.6f}', summary.requests, failed, summary.duration / 1e6))
end
