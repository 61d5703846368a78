-- What the next owner of a bot must know, see store.rs: pairs of a fact and for how many milliseconds it holds; 0 for none.
local memory = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local longest = 0
for at = 1, #ARGV, 2 do
    local left = tonumber(ARGV[at + 1])
    if left > 0 then
        redis.call('HSET', memory, ARGV[at], string.format('%.0f', now + left))
        longest = math.max(longest, left)
    else
        redis.call('HDEL', memory, ARGV[at])
    end
end
-- Now and then what is over goes; the key itself ends with the last of it.
if now % 32 == 0 then
    local kept = redis.call('HGETALL', memory)
    for at = 1, #kept, 2 do
        if (tonumber(kept[at + 1]) or 0) <= now then
            redis.call('HDEL', memory, kept[at])
        end
    end
end
if longest > 0 and longest > redis.call('PTTL', memory) then
    redis.call('PEXPIRE', memory, longest)
end
return 0
