-- ARGV: lease in microseconds, nonce.
local lease, nonce = tonumber(ARGV[6]), ARGV[7]
local grant = K .. 'g:' .. nonce
local granted = redis.call('GET', grant)
if granted then
	-- This very call, made again because its answer was lost; unless it took so
	-- long that somebody else has claimed the entry.
	local id, attempt = string.match(granted, '^(.*) (%d+)$')
	if holds(id, attempt) then
		redis.call('ZADD', K .. 'claims', digits(now + lease), id)
		redis.call('PEXPIRE', grant, math.ceil(lease / 1000))
		return { 'claimed', id, told(id), redis.call('HGET', entry(id), 'lost') or '', newest(id) }
	end
end

-- Where Redis is full it refuses this, but not what removes; and after that
-- nothing. What is claimed could not be saved.
local written = false
local function write_first()
	if not written then
		redis.call('SET', K .. 'seen', digits(now))
		written = true
	end
end

-- there tells whether an entry is; one that is not can't be worked at.
local function there(id) return redis.call('HEXISTS', entry(id), 'doc') == 1 end

-- Where the clock of Redis was set back, what was queued later than now is ready,
-- and no claim lasts longer than one that begins now.
if tonumber(redis.call('HGET', K .. 'last', 'delayed') or 0) > now then
	write_first()
	for _, id in ipairs(redis.call('ZRANGEBYSCORE', K .. 'queue', '(' .. digits(now), '+inf')) do
		if tonumber(redis.call('HGET', entry(id), 'queued') or 0) > now then
			make_ready(id)
		end
	end
	redis.call('HSET', K .. 'last', 'delayed', digits(now))
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', K .. 'claims', '(' .. digits(now + lease), '+inf')) do
	write_first()
	redis.call('ZADD', K .. 'claims', digits(now + lease), id)
end

-- What a claim that ran out held goes back into the queue.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', K .. 'claims', '-inf', digits(now), 'LIMIT', 0, 100)) do
	write_first()
	give_up(id)
	if there(id) then
		redis.call('HSET', entry(id), 'lost', '1')
		local at = redis.call('HGET', entry(id), 'at')
		if at and tonumber(at) <= now then
			redis.call('ZADD', K .. 'queue', at, id)
		else -- the clock was set back since it was claimed
			make_ready(id)
		end
	end
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
	return { 'claimed', id, told(id), e[5] or '', newest(id) }
end

local function taken(lane)
	local holder = redis.call('HGET', K .. 'held', 'lane ' .. lane)
	return holder and redis.call('ZSCORE', K .. 'claims', holder)
end

-- A lane that is held may have any number of entries that wait for it.
local offset, batch = 0, 100
repeat
	local ids = redis.call('ZRANGEBYSCORE', K .. 'queue', '-inf', digits(now), 'LIMIT', offset, batch)
	local more = #ids == batch
	for _, id in ipairs(ids) do
		local lane = redis.call('HGET', entry(id), 'lane')
		if not there(id) then
			write_first()
			redis.call('ZREM', K .. 'queue', id)
			offset = offset - 1
		elseif not lane or not taken(lane) then
			return claim(id, lane)
		end
	end
	offset, batch = offset + #ids, batch * 2
until not more

-- When to look again, by the caller's clock.
local soonest = redis.call('ZRANGEBYSCORE', K .. 'queue', '(' .. digits(now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
local ends = redis.call('ZRANGE', K .. 'claims', 0, 0, 'WITHSCORES')[2]
if ends and (not soonest or tonumber(ends) < tonumber(soonest)) then
	soonest = ends
end
return { 'nothing', soonest and digits(tonumber(soonest) - now + asked) or '0' }
