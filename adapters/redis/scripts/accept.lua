-- ARGV: the highest Order that the caller has seen, the life of keys and that of
-- payloads in ms; then for each delivery: its deadline, id, user, key, doc, payload,
-- attempts, updated, created, live, app, repository, then the place: 1 or 0, lane,
-- pushed, at; then the number of commits, and the commits.
--
-- Returns for each delivery: accepted, Seq, Order; or again, if this call was made
-- before and its answer was lost, or repeat, if there is an earlier delivery with the
-- key, each with the stored entry; or late.
local floor, key_life, payload_life = tonumber(ARGV[6]), ARGV[7], ARGV[8]
local last -- the Order that was assigned last

-- accept writes the delivery whose arguments begin at i.
local function accept(i, commits)
	local ends, id, user, key, doc, payload, attempts, updated, created, live, app, repository = unpack(ARGV, i, i + 11)
	local placed, lane, pushed, at = unpack(ARGV, i + 12, i + 15)
	if tonumber(ends) > 0 and clock > tonumber(ends) then
		return { 'late' }
	end
	local key_name = K .. 'k:' .. user .. ' ' .. key
	if key ~= '' then
		local known = redis.call('GET', key_name)
		-- The entry of the key may be removed.
		if known and redis.call('EXISTS', entry(known)) == 1 then
			return { known == id and 'again' or 'repeat', stored(known) }
		end
	end
	if redis.call('EXISTS', entry(id)) == 1 then
		return { 'again', stored(id) }
	end
	if key ~= '' then
		redis.call('SET', key_name, id, 'PX', key_life)
	end
	if payload ~= '' then
		redis.call('SET', K .. 'p:' .. id, payload, 'PX', payload_life)
	end
	if not last then
		name_data()
		-- Higher than any before, also than those of entries that a failover lost.
		last = math.max(tonumber(redis.call('HGET', K .. 'last', 'order') or 0), floor)
	end
	last = last + 1
	local order, ready = digits(last), ready_at(at)
	local seq = append(user, doc, 1, attempts, updated, order)
	redis.call('HSET', entry(id), 'user', user, 'app', app, 'live', live, 'repository', repository, 'order', order,
		'created', created, 'commits', table.concat(commits, ' '), 'lane', lane, 'at', score(ready, order),
		'doc', doc, 'rev', 1, 'attempts', attempts, 'updated', updated, 'seq', seq)
	redis.call('ZADD', K .. 'u:' .. user, order, id)
	if app ~= '' then
		redis.call('ZADD', K .. 'u:' .. user .. '/' .. app, order, id)
	end
	-- unpack of Lua has a limit of 8,000 values.
	for from = 1, #commits, 1000 do
		local members = {}
		for n = from, math.min(from + 999, #commits) do
			members[#members + 1] = 0
			members[#members + 1] = commits[n] .. ' ' .. id
		end
		redis.call('ZADD', K .. 'x:' .. repository, unpack(members))
	end
	if placed == '1' then
		enqueue(id, lane, lane ~= '', order, pushed, ready)
	end
	return { 'accepted', seq, order, placed }
end

local results, ready, i = {}, false, 9
while i <= #ARGV do
	local commits, count = {}, tonumber(ARGV[i + 16])
	for n = 1, count do
		commits[n] = ARGV[i + 16 + n]
	end
	local result = accept(i, commits)
	ready = ready or result[4] == '1'
	results[#results + 1] = result
	i = i + 17 + count
end
if changes > 0 then
	redis.call('HSET', K .. 'last', 'order', digits(last), 'accepted', digits(now))
	for _, user in ipairs(users) do
		keep_user(user)
	end
	publish()
end
if ready then
	publish_ready()
end
return results
