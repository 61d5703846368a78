-- Takes a bot for an instance, see store.rs. Times are milliseconds of Redis's own clock.
-- Answers "mine", for how long the address is banned, and what must be remembered with the time that is left;
-- or "theirs", for how long, and the holder; or "young" and how long to wait.
local owner, memory, run, young, ban = unpack(KEYS)
local value, instance, lease = ARGV[1], ARGV[2], ARGV[3]

-- A server that was restarted, or took over from another, may have forgotten who has what.
local now_runs = redis.call('INFO', 'server'):match('run_id:(%w+)') or ''
if redis.call('GET', run) ~= now_runs then
    redis.call('SET', run, now_runs)
    redis.call('SET', young, 1, 'PX', lease)
end
redis.call('PEXPIRE', run, 604800000)

local holder = redis.call('GET', owner)
if holder and holder:sub(1, #instance) ~= instance then
    return {'theirs', redis.call('PTTL', owner), {holder}}
end
local wait = redis.call('PTTL', young)
if wait > 0 then
    return {'young', wait, {}}
end
redis.call('SET', owner, value, 'PX', lease)

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local facts = {}
local kept = redis.call('HGETALL', memory)
for at = 1, #kept, 2 do
    local left = (tonumber(kept[at + 1]) or 0) - now
    if left > 0 then
        facts[#facts + 1] = kept[at]
        facts[#facts + 1] = string.format('%.0f', left)
    else
        redis.call('HDEL', memory, kept[at])
    end
end
return {'mine', redis.call('PTTL', ban), facts}
