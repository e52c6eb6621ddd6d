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
	return redis.call('HMGET', entry(id), 'doc', 'rev', 'attempts', 'updated', 'seq', 'order')
end

-- skip_orders skips those that data which was lost may have given: the next Order
-- is at least the time in milliseconds, which makes a gap at worst.
local function skip_orders()
	local floor = math.floor(now / 1000)
	if tonumber(redis.call('HGET', K .. 'last', 'order') or 0) < floor then
		redis.call('HSET', K .. 'last', 'order', digits(floor))
	end
end

-- name_data says which data this is, where it is new: the first write of all, or
-- the first after everything was lost.
local function name_data()
	if redis.call('EXISTS', K .. 'epoch') == 0 then
		redis.call('SET', K .. 'epoch', time[1] .. '.' .. time[2])
		redis.call('SET', K .. 'born', digits(math.floor(now / 1000)))
		skip_orders()
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
	redis.call('XADD', feed, seq, 'doc', doc, 'rev', rev, 'attempts', attempts, 'updated', updated,
		'order', redis.call('HGET', entry(id), 'order'))
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

-- make_ready makes an entry that waits in the queue ready at once. Those that are
-- stand in the queue by their Order, which is less than any time.
local function make_ready(id)
	local order = redis.call('HGET', entry(id), 'order')
	redis.call('ZADD', K .. 'queue', order, id)
	redis.call('HSET', entry(id), 'at', order)
end

-- enter makes an entry the newest of its lane, unless the newest has a higher
-- Order or was pushed later, and wakes the one that was the newest. A time of a
-- sender that lies ahead of now counts as now; one that is remembered, as none.
local function enter(id, lane, pushed)
	local key, order = K .. 'l:' .. lane, redis.call('HGET', entry(id), 'order')
	local before = redis.call('HMGET', key, 'id', 'order', 'pushed')
	local known = tonumber(before[3] or 0)
	if known > now then
		known = 0
	end
	if pushed > now then
		pushed = math.floor(now / 1000000) * 1000000 -- whole seconds, as senders have them
	end
	if tonumber(order) < tonumber(before[2] or 0) or pushed > 0 and pushed < known then
		return
	end
	if before[1] and before[1] ~= id and redis.call('ZSCORE', K .. 'queue', before[1]) then
		make_ready(before[1])
	end
	redis.call('HSET', key, 'id', id, 'order', order, 'pushed', digits(pushed > 0 and pushed or known))
	redis.call('PEXPIRE', key, keep)
end

-- place puts an entry into the queue, and into the lane that it enters unless
-- that is ''.
local function place(id, lane, pushed, at)
	if lane ~= '' then
		redis.call('HSET', entry(id), 'lane', lane)
		enter(id, lane, tonumber(pushed))
	end
	at = tonumber(at)
	if at > 0 then
		at = digits(at - asked + now) -- as far from now as it is by the caller's clock
		redis.call('HSET', entry(id), 'at', at, 'queued', digits(now))
		redis.call('ZADD', K .. 'queue', at, id)
		if tonumber(redis.call('HGET', K .. 'last', 'delayed') or 0) < now then
			redis.call('HSET', K .. 'last', 'delayed', digits(now))
		end
	else
		make_ready(id)
	end
	say_ready()
end

-- newest says which entry is the newest: of the app where one with a higher Order
-- has claimed it, else of the lane.
local function newest(id)
	local e = redis.call('HMGET', entry(id), 'lane', 'joined')
	if e[2] then
		local of_app = redis.call('HGET', K .. 'a:' .. e[2], 'id')
		if of_app and of_app ~= id then
			return of_app
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
