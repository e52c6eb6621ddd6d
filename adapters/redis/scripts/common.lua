-- What all scripts share; it is put before each of them.
--
-- KEYS[1] is what all keys begin with. It holds a hash tag, so that they are in
-- one slot of a Cluster. ARGV[1] is the time in microseconds; 0 asks Redis for
-- its own, which is the same for all instances. ARGV[2] is how many changes of
-- a user are kept, ARGV[3] how long what names nothing live is kept, in ms.
-- ARGV[4] is the time by the caller's clock, which other times of its go by.
-- ARGV[5] is when the caller waits no more, by the clock of Redis; 0 is never.
local K = KEYS[1]
local now, asked, deadline = tonumber(ARGV[1]), tonumber(ARGV[4]), tonumber(ARGV[5])
local time = redis.call('TIME')
local clock = tonumber(time[1]) * 1000000 + tonumber(time[2])
if now == 0 then
	now = clock
end
if deadline > 0 and clock > deadline then
	return redis.error_reply('LATE nobody waits for this call any more')
end
local most, keep = tonumber(ARGV[2]), ARGV[3]

-- Lua writes large numbers as 1.8e+15.
local function digits(n) return string.format('%.0f', n) end

local function entry(id) return K .. 'e:' .. id end

-- told is what a caller gets of an entry.
local function told(id)
	return redis.call('HMGET', entry(id), 'doc', 'rev', 'attempts', 'updated', 'seq')
end

-- name_data says which data this is, where it is new: the first write of all, or
-- the first after everything was lost.
local function name_data()
	if redis.call('EXISTS', K .. 'epoch') == 0 then
		redis.call('SET', K .. 'epoch', time[1] .. '.' .. time[2])
		redis.call('SET', K .. 'born', digits(math.floor(now / 1000)))
	end
end

-- keep_user counts a user among those that are swept.
local function keep_user(user)
	if redis.call('SADD', K .. 'users', user) == 1 then
		redis.call('PERSIST', K .. 'm:' .. user)
	end
end

-- change makes doc the next revision of an entry, appends it to the user's log
-- and says so.
local function change(id, user, doc, rev, attempts, updated)
	name_data()
	local feed, meta = K .. 'f:' .. user, K .. 'm:' .. user
	local last = redis.call('HMGET', meta, 'ms', 'n')
	local ms, n = tonumber(last[1] or 0), tonumber(last[2] or 0)
	local millis = math.floor(now / 1000)
	if millis > ms then
		ms, n = millis, 0
	else
		n = n + 1
	end
	local seq = digits(ms) .. '-' .. digits(n)
	redis.call('HSET', meta, 'ms', digits(ms), 'n', digits(n))
	redis.call('XADD', feed, seq, 'doc', doc, 'rev', rev, 'attempts', attempts, 'updated', updated)
	local over = redis.call('XLEN', feed) - most
	if over > 0 then
		local gone = redis.call('XRANGE', feed, '-', '+', 'COUNT', over)
		redis.call('HSET', meta, 'trimmed', gone[#gone][1])
		redis.call('XTRIM', feed, 'MAXLEN', most)
	end
	redis.call('HSET', entry(id), 'doc', doc, 'rev', rev, 'attempts', attempts, 'updated', updated, 'seq', seq)
	redis.call('PUBLISH', K .. 'changes', digits(redis.call('INCR', K .. 'count')) .. ' ' .. user)
	return seq
end

local function say_ready() redis.call('PUBLISH', K .. 'ready', '') end

-- free gives up the lane or app, where the entry holds it.
local function free(holding, id)
	if redis.call('HGET', K .. 'held', holding) == id then
		redis.call('HDEL', K .. 'held', holding)
	end
end

-- give_up ends a claim.
local function give_up(id)
	local e = redis.call('HMGET', entry(id), 'lane', 'joined')
	redis.call('ZREM', K .. 'claims', id)
	free('lane ' .. (e[1] or ''), id)
	free('app ' .. (e[2] or ''), id)
	redis.call('HDEL', entry(id), 'joined', 'lost')
end

-- enter makes an entry the newest of its lane, unless the newest was pushed
-- later, and wakes the one that was the newest.
local function enter(id, lane, pushed)
	local key = K .. 'l:' .. lane
	local newest = redis.call('HMGET', key, 'id', 'pushed')
	local known = tonumber(newest[2] or 0)
	if pushed > 0 and pushed < known then
		return
	end
	local before = newest[1]
	if before and before ~= id and redis.call('ZSCORE', K .. 'queue', before) then
		redis.call('ZADD', K .. 'queue', 0, before)
		redis.call('HSET', entry(before), 'at', 0)
	end
	redis.call('HSET', key, 'id', id)
	if pushed > 0 then
		redis.call('HSET', key, 'pushed', digits(pushed))
	end
	redis.call('PEXPIRE', key, keep)
end

-- place puts an entry into the queue, and into its lane where it enters it.
local function place(id, lane, enters, pushed, at)
	if lane == '' then
		lane = redis.call('HGET', entry(id), 'lane') or ''
	else
		redis.call('HSET', entry(id), 'lane', lane)
	end
	if enters == '1' and lane ~= '' then
		enter(id, lane, tonumber(pushed))
	end
	at = tonumber(at)
	if at > 0 then
		at = at - asked + now -- as far from now as it is by the caller's clock
	end
	redis.call('HSET', entry(id), 'at', digits(at))
	redis.call('ZADD', K .. 'queue', digits(at), id)
	say_ready()
end

-- standing says who is the newest: of the app where one that was accepted later
-- has joined it, else of the lane.
local function standing(id)
	local e = redis.call('HMGET', entry(id), 'lane', 'joined')
	if e[2] then
		local newest = redis.call('GET', K .. 'a:' .. e[2])
		if newest and newest ~= id then
			return newest
		end
	end
	if not e[1] then
		return ''
	end
	return redis.call('HGET', K .. 'l:' .. e[1], 'id') or ''
end

-- holds tells whether the claim of that attempt still stands: one that ran out
-- does until somebody else takes the entry, its lane or the app it has joined.
local function holds(id, attempt)
	local e = redis.call('HMGET', entry(id), 'attempts', 'joined')
	return redis.call('ZSCORE', K .. 'claims', id) and e[1] == attempt
		and (not e[2] or redis.call('HGET', K .. 'held', 'app ' .. e[2]) == id)
end
