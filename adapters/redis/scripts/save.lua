-- ARGV: nonce, id, revision, doc, attempts, live, app, attempt of the claim or
-- 0, then the move: place, stay or leave, lane, pushed, at.
local nonce, id, rev, doc, attempts, live, app, attempt = unpack(ARGV, 6, 13)
local move, lane, pushed, at = unpack(ARGV, 14, 17)
local stored = redis.call('HMGET', entry(id), 'rev', 'nonce', 'user', 'app', 'seq', 'order')
if not stored[1] then
	return { 'missing' }
end
local next_rev = digits(tonumber(rev) + 1)
if stored[1] == next_rev and stored[2] == nonce then
	return { 'saved', stored[5] } -- this very call, made again because its answer was lost
end
if stored[1] ~= rev or attempt ~= '0' and not holds(id, attempt) then
	return { 'conflict' }
end
local user, before = stored[3], stored[4]
local seq = change(id, user, doc, next_rev, attempts, '')
redis.call('HSET', entry(id), 'nonce', nonce, 'live', live, 'app', app)
if before ~= app then
	if before ~= '' then
		redis.call('ZREM', K .. 'u:' .. user .. '/' .. before, id)
	end
	if app ~= '' then
		redis.call('ZADD', K .. 'u:' .. user .. '/' .. app, stored[6], id)
	end
end
if move == 'place' then
	give_up(id)
	place(id, lane, pushed, at)
elseif move == 'leave' then
	give_up(id)
	redis.call('ZREM', K .. 'queue', id)
	say_ready()
end
return { 'saved', seq }
