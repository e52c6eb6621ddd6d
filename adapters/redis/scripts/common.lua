-- Functions of all scripts, to each of which this file is prepended.
--
-- KEYS[1] is the prefix of all keys. It contains a hash tag, so they are in one slot of
-- a Cluster. ARGV[1] is the time in microseconds; 0 means the clock of Redis, which is
-- the same for all processes. ARGV[2] is how many changes of a user are kept, ARGV[3]
-- for how long, in milliseconds, what names nothing live is kept. ARGV[4] is the
-- time by the clock of the caller, which its other times go by. ARGV[5] is when
-- the caller stops waiting, by the clock of Redis; 0 is never.
local K = KEYS[1]
local now, asked, deadline = tonumber(ARGV[1]), tonumber(ARGV[4]), tonumber(ARGV[5])
local time = redis.call('TIME')
local clock = tonumber(time[1]) * 1000000 + tonumber(time[2])
if now == 0 then
	now = clock
end
if deadline > 0 and clock > deadline then
	return redis.error_reply('LATE the deadline of this call has passed')
end
local most, keep = tonumber(ARGV[2]), ARGV[3]

-- Lua writes large numbers as 1.8e+15.
local function digits(n) return string.format('%.0f', n) end

local function entry(id) return K .. 'e:' .. id end

-- stored returns an entry as it is returned to the caller.
local function stored(id)
	return redis.call('HMGET', entry(id), 'doc', 'rev', 'attempts', 'updated', 'seq', 'order')
end

-- skip_orders skips the Orders that lost data may have assigned: the next Order is at
-- least the time in milliseconds. At worst that makes a gap.
local function skip_orders()
	local floor = math.floor(now / 1000)
	if tonumber(redis.call('HGET', K .. 'last', 'order') or 0) < floor then
		redis.call('HSET', K .. 'last', 'order', digits(floor))
	end
end

-- name_data sets the epoch if the data is new: at the first write, and at the first
-- after the data was lost.
local named = false
local function name_data()
	if not named and redis.call('EXISTS', K .. 'epoch') == 0 then
		redis.call('SET', K .. 'epoch', time[1] .. '.' .. time[2])
		redis.call('SET', K .. 'born', digits(math.floor(now / 1000)))
		skip_orders()
	end
	named = true
end

-- keep_user adds a user to the set of users that Sweep visits.
local function keep_user(user)
	if redis.call('SADD', K .. 'users', user) == 1 then
		redis.call('PERSIST', K .. 'm:' .. user)
	end
end

-- append appends a change to the user's log, and returns its Seq. The script must
-- end with publish.
local changed, users, changes = {}, {}, 0
local function append(user, doc, rev, attempts, updated, order)
	local last = changed[user]
	if not last then
		name_data()
		local meta = redis.call('HMGET', K .. 'm:' .. user, 'ms', 'n')
		last = { ms = tonumber(meta[1] or 0), n = tonumber(meta[2] or 0) }
		changed[user], users[#users + 1] = last, user
	end
	local millis = math.floor(now / 1000)
	if millis > last.ms then
		last.ms, last.n = millis, 0
	else
		last.n = last.n + 1
	end
	changes = changes + 1
	local seq = digits(last.ms) .. '-' .. digits(last.n)
	redis.call('XADD', K .. 'f:' .. user, seq, 'doc', doc, 'rev', rev, 'attempts', attempts, 'updated', updated, 'order', order)
	return seq
end

-- publish completes append: it stores the users' last Seqs, trims their logs and
-- publishes that there are changes.
local function publish()
	for _, user in ipairs(users) do
		local feed, meta, last = K .. 'f:' .. user, K .. 'm:' .. user, changed[user]
		redis.call('HSET', meta, 'ms', digits(last.ms), 'n', digits(last.n))
		local over = redis.call('XLEN', feed) - most
		if over > 0 then
			local gone = redis.call('XRANGE', feed, '-', '+', 'COUNT', over)
			redis.call('HSET', meta, 'trimmed', gone[#gone][1])
			redis.call('XTRIM', feed, 'MAXLEN', most)
		end
	end
	local count = redis.call('INCRBY', K .. 'count', changes)
	redis.call('PUBLISH', K .. 'changes', digits(count) .. ' ' .. digits(changes) .. ' ' .. table.concat(users, ' '))
end

local function publish_ready() redis.call('PUBLISH', K .. 'ready', '') end

-- first returns the first entry that waits in a lane, and when it is ready, unless
-- the lane is claimed: that entry is in the queue.
local function first(lane)
	if lane == '' or redis.call('HEXISTS', K .. 'held', 'lane ' .. lane) == 1 then
		return nil
	end
	local head = redis.call('ZRANGE', K .. 'w:' .. lane, 0, 0, 'WITHSCORES')
	return head[1], head[2]
end

-- change_lane calls change, which changes the entries that wait in a lane or whether
-- it is claimed, and then makes the first entry of the lane the one in the queue. For
-- entries without a lane, '', it only calls change.
local function change_lane(lane, change)
	local before, was = first(lane)
	change()
	local after, is = first(lane)
	if lane == '' then
		return
	end
	if before and before ~= after then
		redis.call('ZREM', K .. 'queue', before .. ' ' .. lane)
	end
	if after and (before ~= after or was ~= is) then
		redis.call('ZADD', K .. 'queue', is, after .. ' ' .. lane)
	end
end

-- waiting returns the set in which an entry of a lane waits, and its member there.
local function waiting(id, lane)
	if lane == '' then
		return K .. 'queue', id .. ' '
	end
	return K .. 'w:' .. lane, id
end

-- score returns the score of an entry that waits until a time. If that is 0, at once, it
-- is the Order, which is less than any time.
local function score(at, order)
	if at > 0 then
		return digits(at)
	end
	return order
end

-- wait queues an entry, which is delayed if it waits until a time; dequeue removes
-- it. Both must be called within change_lane.
local function wait(id, lane, score, is_delayed)
	if is_delayed then
		redis.call('ZADD', K .. 'delayed', digits(now), id)
	end
	local set, member = waiting(id, lane)
	redis.call('ZADD', set, score, member)
end

local function dequeue(id, lane)
	redis.call('ZREM', waiting(id, lane))
	redis.call('ZREM', K .. 'delayed', id)
end

-- make_ready makes an entry ready at once if it waits. It must be called within
-- change_lane.
local function make_ready(id, lane)
	if redis.call('ZSCORE', waiting(id, lane)) then
		dequeue(id, lane)
		local order = redis.call('HGET', entry(id), 'order')
		redis.call('HSET', entry(id), 'at', order)
		wait(id, lane, order)
	end
end

-- free releases a lane or an app that the entry has claimed.
local function free(what, id)
	if redis.call('HGET', K .. 'held', what) == id then
		redis.call('HDEL', K .. 'held', what)
	end
end

-- release ends the claim of an entry and removes it from the queue. back, if it is
-- given, is called with the entry's lane and may put it into the queue again.
local function release(id, back)
	local e = redis.call('HMGET', entry(id), 'lane', 'claimed_app')
	-- The lane of an entry that another program removed is not known.
	local lane = e[1] or redis.call('HGET', K .. 'held', 'entry ' .. id) or ''
	change_lane(lane, function()
		redis.call('ZREM', K .. 'claims', id)
		dequeue(id, lane)
		if lane ~= '' then
			free('lane ' .. lane, id)
			redis.call('HDEL', K .. 'held', 'entry ' .. id)
		end
		if e[2] then
			free('app ' .. e[2], id)
		end
		redis.call('HDEL', entry(id), 'claimed_app', 'lost')
		if back then
			back(lane)
		end
	end)
end

-- enter makes an entry the newest of its lane, unless the newest has a higher
-- Order or was pushed later, and makes the one that was the newest ready. A sender's
-- time in the future is treated as now; a stored one, as unknown.
local function enter(id, lane, order, pushed)
	local key = K .. 'l:' .. lane
	local newest = redis.call('HMGET', key, 'id', 'order', 'pushed')
	local known = tonumber(newest[3] or 0)
	if known > now then
		known = 0
	end
	if pushed > now then
		pushed = math.floor(now / 1000000) * 1000000 -- whole seconds, the precision of senders' times
	end
	if tonumber(order) < tonumber(newest[2] or 0) or pushed > 0 and pushed < known then
		return
	end
	if newest[1] and newest[1] ~= id then
		make_ready(newest[1], lane)
	end
	redis.call('HSET', key, 'id', id, 'order', order, 'pushed', digits(pushed > 0 and pushed or known))
end

-- ready_at converts the time when an entry is ready from the caller's clock; 0 means
-- at once.
local function ready_at(at)
	at = tonumber(at)
	if at > 0 then
		return at - asked + now
	end
	return 0
end

-- enqueue puts an entry that is not queued into the queue of its lane, which it
-- enters or not. The caller stores lane and score in the entry.
local function enqueue(id, lane, enters, order, pushed, at)
	change_lane(lane, function()
		if enters then
			enter(id, lane, order, tonumber(pushed))
		end
		wait(id, lane, score(at, order), at > 0)
	end)
end

-- newest_of returns the newest entry: of the app if one with a higher Order has
-- claimed it, else of the lane.
local function newest_of(id)
	local e = redis.call('HMGET', entry(id), 'lane', 'claimed_app')
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

-- is_claimed reports whether the claim of that attempt still counts. One that has
-- expired does until another claim is made of the entry, its lane or its app.
local function is_claimed(id, attempt)
	local e = redis.call('HMGET', entry(id), 'attempts', 'claimed_app')
	return redis.call('ZSCORE', K .. 'claims', id) and e[1] == attempt
		and (not e[2] or redis.call('HGET', K .. 'held', 'app ' .. e[2]) == id)
end
