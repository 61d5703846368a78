-- Renews the leases of an instance, see store.rs. Answers which server this is, and 1 for each lease that goes on, else 0.
-- A server that knows nothing of a lease because it is not the one of before learns of it.
local lease, known = ARGV[1], ARGV[2]
local run = redis.call('INFO', 'server'):match('run_id:(%w+)') or ''
local other = known ~= '' and known ~= run
local answers = {}
for at, owner in ipairs(KEYS) do
    local value = ARGV[at + 2]
    local holder = redis.call('GET', owner)
    if holder == value then
        redis.call('PEXPIRE', owner, lease)
        answers[at] = 1
    elseif not holder and other then
        redis.call('SET', owner, value, 'PX', lease)
        answers[at] = 1
    else
        answers[at] = 0
    end
end
return {run, answers}
