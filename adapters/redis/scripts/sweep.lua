-- ARGV: user, oldest change to keep as ms, how many entries to keep, and those that
-- were made after which time, by the caller's clock; the maximum number of removals.
-- Returns the number of removals.
--
-- It frees memory first: a full Redis refuses the other writes unless there was one
-- before.
local user, oldest, entries, made_after, budget = ARGV[6], ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local done = 0

local feed, meta = K .. 'f:' .. user, K .. 'm:' .. user
local old = {}
if oldest ~= '0' then -- no change is older than that, and Redis does not take it for a bound
	old = redis.call('XRANGE', feed, '-', '(' .. oldest .. '-0', 'COUNT', budget)
end
if #old > 0 then
	redis.call('XTRIM', feed, 'MAXLEN', redis.call('XLEN', feed) - #old)
	redis.call('HSET', meta, 'trimmed', old[#old][1])
	done = #old
end

local index = K .. 'u:' .. user
local over = redis.call('ZCARD', index) - entries

local function remove(id)
	local e = redis.call('HMGET', entry(id), 'app', 'repository', 'commits', 'lane')
	redis.call('ZREM', index, id)
	redis.call('ZREM', index .. '/' .. (e[1] or ''), id)
	for commit in string.gmatch(e[3] or '', '%S+') do
		redis.call('ZREM', K .. 'x:' .. (e[2] or ''), commit .. ' ' .. id)
	end
	redis.call('ZREM', K .. 'outbox', id)
	release(id)
	redis.call('UNLINK', entry(id), K .. 'p:' .. id)
	local newest = K .. 'l:' .. (e[4] or '')
	if redis.call('HGET', newest, 'id') == id then
		redis.call('UNLINK', newest)
	end
	done = done + 1
end

-- In the order of acceptance, up to the first that is young. An entry with a time in
-- the future, because the clock was ahead, is old if a later one is. Live ones are
-- kept.
local kept, future, young = 0, {}, false
while not young and done < budget do
	local ids = redis.call('ZRANGE', index, kept, kept + budget - 1)
	if #ids == 0 then
		break
	end
	for _, id in ipairs(ids) do
		local e = redis.call('HMGET', entry(id), 'live', 'created')
		local live, created = e[1] == '1', tonumber(e[2] or 0)
		local too_many = over > 0
		if not too_many and created > made_after and created <= asked or done >= budget then
			young = true
			break
		end
		if live then
			kept = kept + 1
		elseif not too_many and created > asked then
			future[#future + 1], kept = id, kept + 1
		else
			for _, before in ipairs(future) do
				remove(before)
			end
			kept, future = kept - #future, {}
			remove(id)
			over = over - 1
		end
	end
end

-- The user has no entries or changes left. The state of the feed is kept for a while,
-- for readers that resume.
if redis.call('XLEN', feed) == 0 and redis.call('ZCARD', index) == 0 then
	redis.call('UNLINK', feed)
	redis.call('SREM', K .. 'users', user)
	redis.call('PEXPIRE', meta, keep)
end
return done
