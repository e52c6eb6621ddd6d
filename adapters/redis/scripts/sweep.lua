-- ARGV: user, oldest change to keep as ms, entries to keep, oldest id to keep,
-- how much to do. Tells how much was done.
local user, oldest, entries, oldest_id, budget = ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7], tonumber(ARGV[8])
local done = 0

local feed = K .. 'f:' .. user
local old = redis.call('XRANGE', feed, '-', '(' .. oldest .. '-0', 'COUNT', budget)
if #old > 0 then
	redis.call('HSET', K .. 'm:' .. user, 'trimmed', old[#old][1])
	redis.call('XTRIM', feed, 'MAXLEN', redis.call('XLEN', feed) - #old)
	done = done + #old
end

local index = K .. 'u:' .. user
local over = redis.call('ZCARD', index) - entries
for _, id in ipairs(redis.call('ZRANGE', index, 0, budget - 1)) do
	if over <= 0 and id >= oldest_id then
		break
	end
	local e = redis.call('HMGET', entry(id), 'live', 'app', 'repository', 'commits')
	if e[1] ~= '1' then
		redis.call('ZREM', index, id)
		redis.call('ZREM', index .. '/' .. (e[2] or ''), id)
		for commit in string.gmatch(e[4] or '', '%S+') do
			redis.call('ZREM', K .. 'x:' .. (e[3] or ''), commit .. ' ' .. id)
		end
		redis.call('UNLINK', entry(id), K .. 'p:' .. id)
		over, done = over - 1, done + 1
	end
end
return done
