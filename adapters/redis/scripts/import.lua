-- ARGV: id, user, doc, revision, attempts, seq, live, app, repository, payload,
-- its life in ms, key, its life in ms, lane, queued, at; then the commits.
-- Tells whether the entry is new here.
local id, user, doc, rev, attempts, seq, live, app, repository = unpack(ARGV, 4, 12)
local payload, payload_life, key, key_life, lane, queued, at = unpack(ARGV, 13, 19)
if redis.call('HGET', entry(id), 'rev') == rev then
	return 0
end
redis.call('HSET', entry(id), 'user', user, 'doc', doc, 'rev', rev, 'attempts', attempts, 'updated', '', 'seq', seq,
	'live', live, 'app', app, 'repository', repository)
keep_user(user)
redis.call('ZADD', K .. 'u:' .. user, 0, id)
if app ~= '' then
	redis.call('ZADD', K .. 'u:' .. user .. '/' .. app, 0, id)
end
local commits = {}
for i = 20, #ARGV do
	redis.call('ZADD', K .. 'x:' .. repository, 0, ARGV[i] .. ' ' .. id)
	commits[#commits + 1] = ARGV[i]
end
redis.call('HSET', entry(id), 'commits', table.concat(commits, ' '))
if payload ~= '' and tonumber(payload_life) > 0 then
	redis.call('SET', K .. 'p:' .. id, payload, 'PX', payload_life)
end
if key ~= '' and tonumber(key_life) > 0 then
	redis.call('SET', K .. 'k:' .. user .. ' ' .. key, id, 'PX', key_life)
end
if lane ~= '' then
	redis.call('HSET', entry(id), 'lane', lane)
end
if queued == '1' then
	redis.call('HSET', entry(id), 'at', at)
	redis.call('ZADD', K .. 'queue', at, id)
end
return 1
