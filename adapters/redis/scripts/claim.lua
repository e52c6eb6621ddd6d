-- ARGV: lease in microseconds, nonce.
local lease, nonce = tonumber(ARGV[6]), ARGV[7]
local grant = K .. 'g:' .. nonce
local granted = redis.call('GET', grant)
if granted then
	-- This very call, made again because its answer was lost; unless it took so
	-- long that another process has claimed the entry.
	local id, attempt = string.match(granted, '^(.*) (%d+)$')
	if is_claimed(id, attempt) then
		redis.call('ZADD', K .. 'claims', digits(now + lease), id)
		redis.call('PEXPIRE', grant, math.ceil(lease / 1000))
		return { 'claimed', id, stored(id), redis.call('HGET', entry(id), 'lost') or '', newest_of(id) }
	end
end

-- A full Redis refuses this write, but not those that only remove, and after the first
-- write it refuses none. Without it, an entry could be claimed that can't be saved.
local written = false
local function write_first()
	if not written then
		redis.call('SET', K .. 'seen', digits(now))
		written = true
	end
end

-- exists reports whether an entry is there; one that is not can't be worked on.
local function exists(id) return redis.call('HEXISTS', entry(id), 'doc') == 1 end

-- If the clock of Redis was set back, entries that were queued later than now are
-- ready, and no claim lasts longer than one that begins now.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', K .. 'delayed', '(' .. digits(now), '+inf')) do
	write_first()
	local lane = redis.call('HGET', entry(id), 'lane') or ''
	change_lane(lane, function() make_ready(id, lane) end)
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', K .. 'claims', '(' .. digits(now + lease), '+inf')) do
	write_first()
	redis.call('ZADD', K .. 'claims', digits(now + lease), id)
end

-- The entries of expired claims are queued again.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', K .. 'claims', '-inf', digits(now), 'LIMIT', 0, 100)) do
	write_first()
	release(id, function(lane)
		if not exists(id) then
			return
		end
		local e = redis.call('HMGET', entry(id), 'at', 'order')
		local at = e[1] or e[2]
		if tonumber(at) > now then -- the clock was set back
			at = e[2]
		end
		redis.call('HSET', entry(id), 'lost', '1', 'at', at)
		wait(id, lane, at)
	end)
end

-- Of each lane that is not claimed the first entry is in the queue.
while true do
	local head = redis.call('ZRANGEBYSCORE', K .. 'queue', '-inf', digits(now), 'LIMIT', 0, 1)[1]
	if not head then
		break
	end
	write_first()
	local id, lane = string.match(head, '^(%S*) (.*)$')
	local e = redis.call('HMGET', entry(id), 'user', 'doc', 'rev', 'attempts', 'lost', 'order')
	if e[2] then
		change_lane(lane, function()
			dequeue(id, lane)
			redis.call('ZADD', K .. 'claims', digits(now + lease), id)
			if lane ~= '' then
				redis.call('HSET', K .. 'held', 'lane ' .. lane, id, 'entry ' .. id, lane)
			end
		end)
		local attempt, rev, updated = digits(tonumber(e[4]) + 1), digits(tonumber(e[3]) + 1), digits(now) .. '000'
		redis.call('SET', grant, id .. ' ' .. attempt, 'PX', math.ceil(lease / 1000))
		local seq = append(e[1], e[2], rev, attempt, updated, e[6])
		redis.call('HSET', entry(id), 'rev', rev, 'attempts', attempt, 'updated', updated, 'seq', seq)
		publish()
		return { 'claimed', id, { e[2], rev, attempt, updated, seq, e[6] }, e[5] or '', newest_of(id) }
	end
	change_lane(lane, function() dequeue(id, lane) end) -- the entry was removed
end

-- When to look again, by the caller's clock.
local soonest = redis.call('ZRANGE', K .. 'queue', 0, 0, 'WITHSCORES')[2]
local ends = redis.call('ZRANGE', K .. 'claims', 0, 0, 'WITHSCORES')[2]
if ends and (not soonest or tonumber(ends) < tonumber(soonest)) then
	soonest = ends
end
return { 'nothing', soonest and digits(tonumber(soonest) - now + asked) or '0' }
