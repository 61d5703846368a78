-- Lets go of the leases of an instance, see store.rs: at once, or so many milliseconds from now.
local left = tonumber(ARGV[1])
for at, owner in ipairs(KEYS) do
    if redis.call('GET', owner) == ARGV[at + 1] then
        if left == 0 then
            redis.call('DEL', owner)
        elseif redis.call('PTTL', owner) > left then
            redis.call('PEXPIRE', owner, left)
        end
    end
end
return 0
