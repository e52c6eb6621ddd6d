-- ARGV: none of its own.
--
-- Returns how many entries are ready, wait for a time and are claimed; when the
-- ready one with the lowest Order was queued, in nanoseconds by the caller's clock;
-- and the earliest time that a ready one waited for, in microseconds by that clock.
-- It writes nothing.
local past_orders = 100000000000000 -- every Order is less, and every time is more
local current = digits(now)
local waits, delayed, first, first_score, due = 0, 0, nil, nil, nil

local function count(set)
	waits = waits + redis.call('ZCARD', set)
	delayed = delayed + redis.call('ZCOUNT', set, '(' .. current, '+inf')
	local head = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
	local score = tonumber(head[2] or current)
	if score < past_orders and (not first or score < first_score) then
		first, first_score = head[1], score
	end
	local at = tonumber(redis.call('ZRANGEBYSCORE', set, past_orders, current, 'WITHSCORES', 'LIMIT', 0, 1)[2])
	if at and (not due or at < due) then
		due = at
	end
end

-- The queue has the first entry of each lane that is not claimed.
local heads = 0
local heads_delayed = 0
for _, member in ipairs(redis.call('ZRANGE', K .. 'queue', 0, -1)) do
	local lane = string.match(member, '^%S* (.*)$')
	if lane ~= '' then
		heads = heads + 1
		if tonumber(redis.call('ZSCORE', K .. 'queue', member)) > now then
			heads_delayed = heads_delayed + 1
		end
		count(K .. 'w:' .. lane)
	end
end
local held = redis.call('HKEYS', K .. 'held')
for _, name in ipairs(held) do
	local lane = string.match(name, '^lane (.*)$')
	if lane then
		count(K .. 'w:' .. lane)
	end
end
count(K .. 'queue')
waits, delayed = waits - heads, delayed - heads_delayed

local claimed = redis.call('ZCOUNT', K .. 'claims', '(' .. current, '+inf')
local expired = redis.call('ZCARD', K .. 'claims') - claimed
local queued = '0'
if first then
	queued = redis.call('HGET', entry(string.match(first, '^%S*')), 'updated') or '0'
end
return { waits - delayed + expired, delayed, claimed, queued, due and digits(due - now + asked) or '0' }
