-- ARGV: nonce, id, revision, doc, attempts, updated, live, app, attempt of the claim
-- or 0, then the move: place, stay or leave, lane, pushed, at.
local nonce, id, rev, doc, attempts, updated, live, app, attempt = unpack(ARGV, 6, 14)
local move, lane, pushed, at = unpack(ARGV, 15, 18)
local known = redis.call('HMGET', entry(id), 'rev', 'nonce', 'user', 'app', 'seq', 'order', 'lane')
if not known[1] then
	return { 'missing' }
end
local next_rev = digits(tonumber(rev) + 1)
if known[1] == next_rev and known[2] == nonce then
	return { 'saved', known[5] } -- this call is repeated because its answer was lost
end
if known[1] ~= rev or attempt ~= '0' and not is_claimed(id, attempt) then
	return { 'conflict' }
end
local user, before, order = known[3], known[4], known[6]
local seq = append(user, doc, next_rev, attempts, updated, order)
redis.call('HSET', entry(id), 'nonce', nonce, 'live', live, 'app', app,
	'doc', doc, 'rev', next_rev, 'attempts', attempts, 'updated', updated, 'seq', seq)
if before ~= app then
	if before ~= '' then
		redis.call('ZREM', K .. 'u:' .. user .. '/' .. before, id)
	end
	if app ~= '' then
		redis.call('ZADD', K .. 'u:' .. user .. '/' .. app, order, id)
	end
end
if move ~= 'stay' then
	release(id)
	if move == 'place' then
		local enters, ready = lane ~= '', ready_at(at)
		if not enters then
			lane = known[7] or ''
		end
		redis.call('HSET', entry(id), 'lane', lane, 'at', score(ready, order))
		enqueue(id, lane, enters, order, pushed, ready)
	end
	publish_ready()
end
publish()
return { 'saved', seq }
