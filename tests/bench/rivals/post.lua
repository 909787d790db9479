-- Has wrk post bodies of BYTES bytes to the connections `c-0`, `c-1` and so on, and prints what that took, as `hubbub-bench post` does.
--
-- Usage: wrk [options] --script post.lua URL -- BYTES
--
-- wrk signs nothing: every request has the same made-up signature. So this is what posting costs without signing.

local headers = {
  ["Content-Type"] = "application/octet-stream",
  ["X-Amz-Date"] = "20260101T000000Z",
  ["X-Amz-Security-Token"] = "token",
  ["Authorization"] = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/execute-api/aws4_request, "
    .. "SignedHeaders=host;x-amz-date, Signature=" .. string.rep("0", 64),
}
local prefix, body
local number = -1
-- CPU time of the process. wrk loads the script before it starts to post.
local start = os.clock()

function init(arguments)
  body = string.rep("x", tonumber(arguments[1]))
  prefix = wrk.path .. "/@connections/c-"
end

function request()
  number = number + 1
  return wrk.format("POST", prefix .. number, headers, body)
end

function done(summary)
  local cpu = os.clock() - start
  local errors = summary.errors
  local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  local peak_kib = io.open("/proc/self/status"):read("*a"):match("VmHWM:%s+(%d+)")
  print(string.format(
    '{"start_cpu_ms": %.3f, "cpu_us_per_post": [%.3f], "failed": %d, "peak_mib": %.3f}',
    start * 1e3, cpu * 1e6 / summary.requests, failed, peak_kib / 1024))
end
