-- ARGV: id, user, key, key's life in ms, doc, payload, payload's life in ms,
-- attempts, live, app, repository, then the place: 1 or 0, lane, pushed, at;
-- then the highest Order that the caller has seen; then the commits.
local id, user, key, key_life = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local doc, payload, payload_life, attempts, live, app, repository = unpack(ARGV, 10, 16)
local placed, lane, pushed, at, floor = unpack(ARGV, 17, 21)
local key_name = K .. 'k:' .. user .. ' ' .. key
if key ~= '' then
	local first = redis.call('GET', key_name)
	-- A key whose entry is gone would find nothing. One of this very entry is
	-- of this very call, made again because its answer was lost.
	if first and redis.call('EXISTS', entry(first)) == 1 then
		return { first == id and 'accepted' or 'repeat', told(first) }
	end
end
if redis.call('EXISTS', entry(id)) == 1 then
	return { 'accepted', told(id) }
end
if key ~= '' then
	redis.call('SET', key_name, id, 'PX', key_life)
end
if payload ~= '' then
	redis.call('SET', K .. 'p:' .. id, payload, 'PX', payload_life)
end
-- Higher than any before, also than those of entries that a failover lost.
name_data()
local order = redis.call('HINCRBY', K .. 'last', 'order', 1)
if order <= tonumber(floor) then
	order = tonumber(floor) + 1
end
order = digits(order)
redis.call('HSET', K .. 'last', 'order', order, 'accepted', digits(now))
redis.call('HSET', entry(id), 'user', user, 'app', app, 'live', live, 'repository', repository, 'order', order)
keep_user(user)
redis.call('ZADD', K .. 'u:' .. user, order, id)
if app ~= '' then
	redis.call('ZADD', K .. 'u:' .. user .. '/' .. app, order, id)
end
local commits = {}
for i = 22, #ARGV do
	redis.call('ZADD', K .. 'x:' .. repository, 0, ARGV[i] .. ' ' .. id)
	commits[#commits + 1] = ARGV[i]
end
redis.call('HSET', entry(id), 'commits', table.concat(commits, ' '))
change(id, user, doc, 1, attempts, '')
if placed == '1' then
	place(id, lane, pushed, at)
end
return { 'accepted', told(id) }
