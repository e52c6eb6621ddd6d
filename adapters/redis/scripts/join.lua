-- ARGV: id, attempt, user/app.
local id, attempt, app = ARGV[6], ARGV[7], ARGV[8]
if not holds(id, attempt) then
	return { 'conflict' }
end
local holder = redis.call('HGET', K .. 'held', 'app ' .. app)
if holder and holder ~= id then
	local ends = redis.call('ZSCORE', K .. 'claims', holder)
	if ends and tonumber(ends) > now then
		return { 'busy' }
	end
end
free('app ' .. (redis.call('HGET', entry(id), 'joined') or ''), id)
redis.call('HSET', K .. 'held', 'app ' .. app, id)
redis.call('HSET', entry(id), 'joined', app)
local key, order = K .. 'a:' .. app, redis.call('HGET', entry(id), 'order')
if tonumber(redis.call('HGET', key, 'order') or 0) <= tonumber(order) then
	redis.call('HSET', key, 'id', id, 'order', order)
	redis.call('PEXPIRE', key, keep)
end
return { 'held', newest(id) }
