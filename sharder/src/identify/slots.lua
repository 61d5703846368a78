-- The slots of one bucket, see slots.rs. Times are milliseconds of Redis's own clock.
-- Answers 0 where the slot is given, or what was told is noted; else how long to wait before asking again is of use.
local bot, bucket, queue, seen = unpack(KEYS)
local verb, member, token = ARGV[1], ARGV[2], ARGV[3]
local spacing, lease = math.max(tonumber(ARGV[4]), 1), tonumber(ARGV[5])
local patience, spread = math.max(tonumber(ARGV[6]), 1), tonumber(ARGV[7])
local buckets, untouched = ARGV[8], ARGV[9] == '1'

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
-- A server that was restarted, or took over from another, may have forgotten the last seconds.
local run = redis.call('INFO', 'server'):match('run_id:(%w+)') or ''
local unknown = now + lease + spacing

-- What is kept, or nil where it cannot be relied on. A time beyond the longest means that the clock was set back.
local function kept(key, field)
    local of, value = unpack(redis.call('HMGET', key, 'run', field))
    value = tonumber(value)
    if of ~= run or not value or value > unknown then
        return nil
    end
    return value
end

-- From when on the bucket, or all of them, are free. Where that is not known somebody may have identified just now, or
-- hold a slot; unless Discord says that nobody has in this period, to the only one who could.
local function free(key)
    local at = kept(key, 'free')
    if not at then
        at = untouched and now or unknown
        redis.call('HSET', key, 'run', run, 'free', at, 'holder', '')
        if key == bot then
            redis.call('HSET', key, 'last', now, 'buckets', buckets)
        end
        redis.call('PEXPIRE', key, 604800000)
    end
    return at
end

-- The bucket is taken until then, and so are all where the number of buckets is in dispute.
local function take(at, holder)
    redis.call('HSET', bucket, 'run', run, 'free', at, 'holder', holder)
    redis.call('HSET', bot, 'run', run, 'free', math.max(free(bot), at), 'last', now, 'buckets', buckets)
    redis.call('PEXPIRE', bucket, 604800000)
    redis.call('PEXPIRE', bot, 604800000)
end

local function leave(who)
    redis.call('ZREM', queue, who)
    redis.call('ZREM', seen, who)
end

local holds = redis.call('HGET', bucket, 'holder') == token and kept(bucket, 'free') ~= nil

if verb == 'used' then
    -- The next one counts from here: the IDENTIFY was sent before this was.
    take(holds and now + spacing or math.max(free(bucket), now + spacing), '')
    return 0
elseif verb == 'left' then
    leave(member)
    if holds then
        redis.call('HSET', bucket, 'free', now, 'holder', '')
    end
    return 0
end

for _, gone in ipairs(redis.call('ZRANGEBYSCORE', seen, '-inf', now)) do
    leave(gone)
end
-- First come, first served; of those who come within one spacing the lower shard is first, because Discord wants
-- buckets to be started in order. The member begins with its number, and equal scores are ordered by the member.
redis.call('ZADD', queue, 'NX', math.floor(now / spacing), member)
redis.call('ZADD', seen, now + patience, member)
redis.call('PEXPIRE', queue, patience * 2)
redis.call('PEXPIRE', seen, patience * 2)

local ready = free(bucket)
local all = free(bot)
if redis.call('HGET', bot, 'buckets') ~= buckets then
    ready = math.max(ready, all)
end
if spread > 0 then
    local last = tonumber(redis.call('HGET', bot, 'last')) or now
    ready = math.max(ready, math.min(last, now) + spread)
end
local before = redis.call('ZRANK', queue, member)
if before > 0 or ready > now then
    return math.max(ready - now, 0) + before * spacing
end
leave(member)
take(now + lease + spacing, token)
return 0
