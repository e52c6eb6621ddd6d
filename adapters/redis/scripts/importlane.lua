-- ARGV: lane, its newest entry, when that was pushed or 0. What is here stays
-- where it is newer.
local lane, id, pushed = ARGV[6], ARGV[7], tonumber(ARGV[8])
local key = K .. 'l:' .. lane
local known = redis.call('HMGET', key, 'id', 'pushed')
local known_pushed = tonumber(known[2] or 0)
local newer = known[1] and known[1] > id
if known_pushed > 0 and pushed > 0 and known_pushed ~= pushed then
	newer = known_pushed > pushed
end
if newer then
	return
end
redis.call('HSET', key, 'id', id)
if pushed > 0 then
	redis.call('HSET', key, 'pushed', digits(pushed))
end
redis.call('PEXPIRE', key, keep)
