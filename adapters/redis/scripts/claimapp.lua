-- ARGV: id, attempt, user/app.
local id, attempt, app = ARGV[6], ARGV[7], ARGV[8]
if not is_claimed(id, attempt) then
	return { 'conflict' }
end
local holder = redis.call('HGET', K .. 'held', 'app ' .. app)
if holder and holder ~= id then
	local ends = redis.call('ZSCORE', K .. 'claims', holder)
	if ends and tonumber(ends) > now then
		return { 'busy' }
	end
end
redis.call('HSET', K .. 'held', 'app ' .. app, id)
local before, order = unpack(redis.call('HMGET', entry(id), 'claimed_app', 'order'))
if before and before ~= app then
	free('app ' .. before, id)
end
redis.call('HSET', entry(id), 'claimed_app', app)
local key = K .. 'a:' .. app
if tonumber(redis.call('HGET', key, 'order') or 0) <= tonumber(order) then
	redis.call('HSET', key, 'id', id, 'order', order)
	redis.call('PEXPIRE', key, keep)
end
return { 'claimed', newest_of(id) }
