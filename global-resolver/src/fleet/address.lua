-- What instances tell each other of their address, see store.rs. Counts are "left:count", in milliseconds, with spaces between.
-- Answers for how long the address is banned, and the others' counts.
local invalid, ban = unpack(KEYS)
local instance, own, banned = ARGV[1], ARGV[2], tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- A second more or less is the way here, and no other ban.
if banned > redis.call('PTTL', ban) + 1000 then
    redis.call('SET', ban, 1, 'PX', banned)
end

local kept = {}
for left, count in own:gmatch('(%d+):(%d+)') do
    kept[#kept + 1] = string.format('%.0f:%d', now + left, count)
end
if #kept > 0 then
    redis.call('HSET', invalid, instance, table.concat(kept, ' '))
    redis.call('PEXPIRE', invalid, 700000)
else
    redis.call('HDEL', invalid, instance)
end

local others = {}
local all = redis.call('HGETALL', invalid)
for at = 1, #all, 2 do
    if all[at] ~= instance then
        local before = #others
        for till, count in all[at + 1]:gmatch('(%d+):(%d+)') do
            local left = till - now
            if left > 0 then
                others[#others + 1] = left
                others[#others + 1] = tonumber(count)
            end
        end
        if #others == before then
            redis.call('HDEL', invalid, all[at])
        end
    end
end
return {redis.call('PTTL', ban), others}
