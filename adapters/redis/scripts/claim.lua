-- ARGV: lease in microseconds, nonce.
local lease, nonce = tonumber(ARGV[4]), ARGV[5]
local grant = K .. 'g:' .. nonce
local granted = redis.call('GET', grant)
if granted then
	-- This very call, made again because its answer was lost; unless it took so
	-- long that somebody else has claimed the entry.
	local id, attempt = string.match(granted, '^(.*) (%d+)$')
	if holds(id, attempt) then
		redis.call('ZADD', K .. 'claims', digits(now + lease), id)
		redis.call('PEXPIRE', grant, math.ceil(lease / 1000))
		return { 'claimed', id, told(id), redis.call('HGET', entry(id), 'lost') or '', standing(id) }
	end
end

-- What a claim that ran out held goes back into the queue.
for i, id in ipairs(redis.call('ZRANGEBYSCORE', K .. 'claims', '-inf', digits(now), 'LIMIT', 0, 100)) do
	if i == 1 then
		-- Where Redis is full it refuses this, but not what removes; and after
		-- that nothing. What is claimed could not be saved.
		redis.call('SET', K .. 'seen', digits(now))
	end
	give_up(id)
	redis.call('HSET', entry(id), 'lost', '1')
	redis.call('ZADD', K .. 'queue', redis.call('HGET', entry(id), 'at') or 0, id)
end

local function claim(id, lane)
	redis.call('ZADD', K .. 'claims', digits(now + lease), id)
	redis.call('ZREM', K .. 'queue', id)
	if lane then
		redis.call('HSET', K .. 'held', 'lane ' .. lane, id)
	end
	local e = redis.call('HMGET', entry(id), 'user', 'doc', 'rev', 'attempts', 'lost')
	local attempt = digits(tonumber(e[4]) + 1)
	redis.call('SET', grant, id .. ' ' .. attempt, 'PX', math.ceil(lease / 1000))
	change(id, e[1], e[2], digits(tonumber(e[3]) + 1), attempt, digits(now))
	return { 'claimed', id, told(id), e[5] or '', standing(id) }
end

-- A lane that is held may have any number of entries that wait for it.
local batch = 100
for offset = 0, 100 * batch, batch do
	local ids = redis.call('ZRANGEBYSCORE', K .. 'queue', '-inf', digits(now), 'LIMIT', offset, batch)
	for _, id in ipairs(ids) do
		local lane = redis.call('HGET', entry(id), 'lane')
		if not lane or not redis.call('HGET', K .. 'held', 'lane ' .. lane) then
			return claim(id, lane)
		end
	end
	if #ids < batch then
		break
	end
end

-- When to look again.
local soonest = redis.call('ZRANGEBYSCORE', K .. 'queue', '(' .. digits(now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
local ends = redis.call('ZRANGE', K .. 'claims', 0, 0, 'WITHSCORES')[2]
if ends and (not soonest or tonumber(ends) < tonumber(soonest)) then
	soonest = ends
end
return { 'nothing', soonest or '0' }
