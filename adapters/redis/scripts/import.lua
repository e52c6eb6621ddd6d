-- ARGV: id, user, doc, revision, attempts, seq, live, app, repository, payload,
-- its life in ms, key, its life in ms, lane, queued, at, owed; then the commits.
--
-- Tells what became of it: added, known, gone, where it was moved here before
-- and is here no more, or newer, where this or a later revision was reached
-- here: nothing of that is undone.
local id, user, doc, rev, attempts, seq, live, app, repository = unpack(ARGV, 6, 14)
local payload, payload_life, key, key_life, lane, queued, at, owed = unpack(ARGV, 15, 22)
local stored = redis.call('HMGET', entry(id), 'rev', 'app', 'repository', 'commits', 'lane', 'seq')
local moved = redis.call('GET', K .. 'moved')
if not stored[1] and moved and id <= moved then
	return 'gone'
end

-- What belongs to the entry whatever became of it.
if payload ~= '' and tonumber(payload_life) > 0 then
	redis.call('SET', K .. 'p:' .. id, payload, 'PX', payload_life, 'NX')
end
if key ~= '' and tonumber(key_life) > 0 then
	redis.call('SET', K .. 'k:' .. user .. ' ' .. key, id, 'PX', key_life, 'NX')
end
if stored[1] and tonumber(stored[1]) >= tonumber(rev) then
	return stored[1] == rev and stored[6] == seq and 'known' or 'newer'
end

if stored[1] then
	give_up(id)
	redis.call('ZREM', K .. 'queue', id)
	redis.call('ZREM', K .. 'u:' .. user .. '/' .. stored[2], id)
	for commit in string.gmatch(stored[4] or '', '%S+') do
		redis.call('ZREM', K .. 'x:' .. stored[3], commit .. ' ' .. id)
	end
end
redis.call('HSET', entry(id), 'user', user, 'doc', doc, 'rev', rev, 'attempts', attempts, 'updated', '', 'seq', seq,
	'live', live, 'app', app, 'repository', repository)
keep_user(user)
redis.call('ZADD', K .. 'u:' .. user, 0, id)
if app ~= '' then
	redis.call('ZADD', K .. 'u:' .. user .. '/' .. app, 0, id)
end
local commits = {}
for i = 23, #ARGV do
	redis.call('ZADD', K .. 'x:' .. repository, 0, ARGV[i] .. ' ' .. id)
	commits[#commits + 1] = ARGV[i]
end
redis.call('HSET', entry(id), 'commits', table.concat(commits, ' '))
if lane ~= '' then
	redis.call('HSET', entry(id), 'lane', lane)
end
if queued == '1' then
	redis.call('HSET', entry(id), 'at', at)
	redis.call('ZADD', K .. 'queue', at, id)
end
if owed == '1' then
	redis.call('ZADD', K .. 'outbox', 0, id)
end
return 'added'
