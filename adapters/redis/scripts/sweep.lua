-- ARGV: user, oldest change to keep as ms, entries to keep, oldest id to keep,
-- how much to do. Tells how much was done.
--
-- It begins with what frees memory: Redis refuses the rest where it is full,
-- unless something was written before.
local user, oldest, entries, oldest_id, budget = ARGV[6], ARGV[7], tonumber(ARGV[8]), ARGV[9], tonumber(ARGV[10])
local done = 0

local feed, meta = K .. 'f:' .. user, K .. 'm:' .. user
local old = {}
if oldest ~= '0' then -- no change is older than that, and Redis takes it for no bound
	old = redis.call('XRANGE', feed, '-', '(' .. oldest .. '-0', 'COUNT', budget)
end
if #old > 0 then
	redis.call('XTRIM', feed, 'MAXLEN', redis.call('XLEN', feed) - #old)
	redis.call('HSET', meta, 'trimmed', old[#old][1])
	done = #old
end

local index = K .. 'u:' .. user
local over = redis.call('ZCARD', index) - entries

local function remove(id, e)
	redis.call('ZREM', index, id)
	redis.call('ZREM', index .. '/' .. (e[2] or ''), id)
	for commit in string.gmatch(e[4] or '', '%S+') do
		redis.call('ZREM', K .. 'x:' .. (e[3] or ''), commit .. ' ' .. id)
	end
	redis.call('ZREM', K .. 'queue', id)
	redis.call('ZREM', K .. 'outbox', id)
	give_up(id)
	redis.call('UNLINK', entry(id), K .. 'p:' .. id)
end

-- Live ones are kept, and passed over.
local live, removed, more = 0, 0, true
while more and removed < budget do
	local ids = redis.call('ZRANGE', index, live, live + budget - 1)
	more = #ids == budget
	for _, id in ipairs(ids) do
		if over <= 0 and id >= oldest_id or removed >= budget then
			more = false
			break
		end
		local e = redis.call('HMGET', entry(id), 'live', 'app', 'repository', 'commits')
		if e[1] == '1' then
			live = live + 1
		else
			remove(id, e)
			over, removed = over - 1, removed + 1
		end
	end
end
done = done + removed

-- A user of whom nothing is left. What is known of the feed stays for a while,
-- for readers that come back.
if redis.call('XLEN', feed) == 0 and redis.call('ZCARD', index) == 0 then
	redis.call('UNLINK', feed)
	redis.call('SREM', K .. 'users', user)
	redis.call('PEXPIRE', meta, keep)
end
return done
